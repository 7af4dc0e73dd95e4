"""Flower's Grid on this machine: the same ServerApp and ClientApp, no Ray, no network, no waiting.

`LocalGrid` runs a message when its reply is pulled, one at a time, so a debugger steps from the server straight into a
client. `ProcessGrid` has those that compute run side by side.
"""

from __future__ import annotations

import importlib
import secrets
import time
from collections.abc import Iterable, Set
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from itertools import islice
from typing import cast

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run as FlowerRun
from flwr.supercore.task_identity import TaskIdentity

from fedrec import progress
from fedrec.processes import Done, Processes, Tell
from fedrec.protocol.questions import Evaluate, Rehearse, Serve, Train

COMPUTING = frozenset({Train.kind, Evaluate.kind, Rehearse.kind, Serve.kind})
_POLL = 0.2  # seconds that a look for replies takes at most


class LocalGrid(Grid):
    """A grid of `nodes` clients that live in this process; node i has partition id i."""

    def __init__(self, client_app: ClientApp, nodes: int) -> None:
        self._app = client_app
        self._run = FlowerRun.create_empty(run_id=1)
        self._contexts = {
            node + 1: Context(
                run_id=1,
                node_id=node + 1,
                node_config={"partition-id": node, "num-partitions": nodes},
                state=RecordDict(),
                run_config={},
            )
            for node in range(nodes)
        }
        self._waiting: dict[str, Message] = {}
        _be(SUPERLINK_NODE_ID)

    def set_run(self, run: FlowerRun) -> None:
        self._run = run

    @property
    def run(self) -> FlowerRun:
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id=dst_node_id, message_type=message_type, group_id=group_id, ttl=ttl)

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
                    return [answer(self._app, message, self._contexts[_node(message)])]
                finally:
                    _be(SUPERLINK_NODE_ID)
        return []

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return [reply for number in self.push_messages(messages) for reply in self.pull_messages([number])]


class ProcessGrid(LocalGrid):
    """The same, but messages that compute are answered by processes, `workers` of them at a time.

    A client whose process dies has failed to answer that message; it has a new one for the next. A client answers one
    message at a time, and what nobody waits for any more is not begun.
    """

    def __init__(self, client_app: str, nodes: int, workers: int, in_order: bool = False) -> None:
        """
        Args:
            client_app: as `module:name`, for processes to find.
            in_order: give replies in the order of the messages: the first k of n are the same ones, whoever is quick.
        """
        self._in_order = in_order
        self._quick: set[str] = set()  # those that wait and compute nothing
        super().__init__(load_app(client_app), nodes)
        self._started = False
        self._showing = ExitStack()
        self._shown: Tell | None = None
        self._processes = Processes(workers, partial(_answered, client_app), self._show)
        self._begun: dict[str, tuple[Message, float]] = {}  # what processes are at, and since when
        self._replies: dict[str, Message] = {}
        self._took: dict[int, float] = {}  # seconds that each client's last message took

    def __enter__(self) -> ProcessGrid:
        return self

    def __exit__(self, *_: object) -> None:
        self._showing.close()
        self._processes.close()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Those that take longest are begun first: then fewest wait at the end."""
        self._waiting.clear()
        self._replies.clear()
        pushed = super().push_messages(messages)
        by_time = sorted(self._waiting.items(), key=lambda each: -self._took.get(_node(each[1]), 0.0))
        self._waiting = dict(by_time)
        self._quick = {number for number, each in by_time if each.metadata.message_type not in COMPUTING}
        return pushed

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies to the messages that are there."""
        asked = message_ids if isinstance(message_ids, Set) else dict.fromkeys(message_ids).keys()
        if self._quick and (number := next((each for each in asked if each in self._quick), None)) is not None:
            self._quick.remove(number)
            return super().pull_messages([number])
        awaited = set(islice(asked, 1)) if self._in_order else asked
        with self._starting():
            self._begin()
        end = time.monotonic() + _POLL
        while not any(number in awaited for number in self._replies) and (left := end - time.monotonic()) > 0:
            for done in self._processes.wait(left):  # nothing, where one only tells how far it is
                self._keep(done)
            self._begin()
        if not self._processes.busy:
            self._showing.close()
            self._shown = None
        return [self._replies.pop(number) for number in list(self._replies) if number in awaited]

    def _starting(self) -> AbstractContextManager[None]:
        """The first processes wait for what they need to be imported."""
        first, self._started = not self._started, True
        return progress.working("starting the clients' processes") if first else nullcontext()

    def _begin(self) -> None:
        """Hand out messages to clients that are at none."""
        at_work = {_node(message) for message, _ in self._begun.values()}
        while len(at_work) < self._processes.count:
            number = next((each for each, message in self._waiting.items() if _node(message) not in at_work), None)
            if number is None:
                return
            message = self._waiting.pop(number)
            node = _node(message)
            at_work.add(node)
            self._begun[number] = message, time.monotonic()
            self._processes.submit(number, (message, self._contexts[node]))

    def _keep(self, done: Done) -> None:
        number = cast(str, done.key)
        message, began = self._begun.pop(number)
        self._took[_node(message)] = time.monotonic() - began
        if done.fault is None:
            self._replies[number], self._contexts[_node(message)] = done.result
        else:
            error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, done.fault)
            self._replies[number] = Message(error, reply_to=message)

    def _show(self, what: str, done: int, total: int) -> None:
        """Only while processes work: lines of this process are not to run into theirs."""
        if self._shown is None:
            self._shown = self._showing.enter_context(progress.side_by_side())
        self._shown(what, done, total)


def load_app(name: str) -> ClientApp:
    """The app that `module:name` names."""
    module, _, attribute = name.partition(":")
    app: ClientApp = getattr(importlib.import_module(module), attribute)
    return app


def answer(app: ClientApp, message: Message, context: Context) -> Message:
    """What a client replies; as in deployment, one that fails answers with its error."""
    _be(_node(message))
    try:
        return app(message, context)
    except Exception as error:
        return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, f"{error}"), reply_to=message)


def _answered(client_app: str, task: tuple[Message, Context], tell: Tell) -> tuple[Message, Context]:
    """In a process of its own: the reply, and what the client keeps in its context."""
    message, context = task
    progress.tell_another(tell)
    return answer(load_app(client_app), message, context), context


def _node(message: Message) -> int:
    return int(message.metadata.dst_node_id)


def _be(node: int) -> None:
    """Whom Flower takes this process for."""
    TaskIdentity.run_id = TaskIdentity.task_id = 1
    TaskIdentity.node_id = node
