"""A Flower Grid in this process: the same ServerApp and ClientApp, no Ray, no network, no waiting.

A message runs when its reply is pulled, one at a time, so a debugger steps from the server straight into a client.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid

from fedrec.console.progress import working
from fedrec.registry import attribute
from server.message_grid import MessageGrid, be
from server.simulated_run import SimulatedRun
from server.transports.transport import CLIENTS, Transport


class InProcess(Transport):
    """The clients live in this process, whatever the number of workers."""

    @contextmanager
    def reach(self, run: SimulatedRun) -> Iterator[Grid]:
        with working("loading the clients"):
            app = attribute(CLIENTS)
        yield LocalGrid(app, run.nodes())


class LocalGrid(MessageGrid):
    """A grid of clients that live in this process."""

    def __init__(self, client_app: ClientApp, nodes: Sequence[Mapping[str, str]]) -> None:
        """
        Args:
            nodes: what each is told when it starts.
        """
        super().__init__()
        self._app = client_app
        self._contexts = {
            node + 1: Context(
                run_id=1,
                node_id=node + 1,
                node_config=dict(config),
                state=RecordDict(),
                run_config={},
            )
            for node, config in enumerate(nodes)
        }
        self._waiting: dict[str, Message] = {}

    def get_node_ids(self) -> Iterable[int]:
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = {secrets.token_hex(8): message for message in messages}
        for number, message in pushed.items():
            message.metadata.__dict__["_message_id"] = number
        self._waiting |= pushed
        return list(pushed)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The reply to the first of the messages that still waits."""
        for number in message_ids:
            if number in self._waiting:
                message = self._waiting.pop(number)
                try:
                    return [answer(self._app, message, self._contexts[node_of(message)])]
                finally:
                    be(SUPERLINK_NODE_ID)
        return []

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return [reply for number in self.push_messages(messages) for reply in self.pull_messages([number])]


def answer(app: ClientApp, message: Message, context: Context) -> Message:
    """What a client replies; as in deployment, one that fails answers with its error."""
    be(node_of(message))
    try:
        return app(message, context)
    except Exception as error:
        return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, f"{error}"), reply_to=message)


def node_of(message: Message) -> int:
    return int(message.metadata.dst_node_id)
