"""Clients in processes side by side on this machine; messages that do not compute are answered in this one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import islice
from typing import cast

from flwr.app import Context, Error, Message
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from fedrec.console import progress
from fedrec.parallel.process_pool import Done, Processes, Tell
from fedrec.parallel.worker_count import processes_for
from fedrec.protocol.questions import Evaluate, Rehearse, Serve, Train, TrainMasked
from fedrec.registry import attribute
from server.simulated_run import SimulatedRun
from server.transports.in_process import InProcess, LocalGrid, answer, node_of
from server.transports.transport import CLIENTS, Transport

COMPUTING = frozenset({Train.kind, TrainMasked.kind, Evaluate.kind, Rehearse.kind, Serve.kind})
_POLL = 0.2  # seconds that a look for replies takes at most


class SideBySide(Transport):
    """As many processes as there are workers; with none of them the clients live in this process."""

    @contextmanager
    def reach(self, run: SimulatedRun) -> Iterator[Grid]:
        count = self.processes(run)
        if count == 0:
            with InProcess().reach(run) as grid:
                yield grid
        else:
            few = run.config.federation.oversample or run.config.federation.min_replies
            with ProcessGrid(CLIENTS, run.nodes(), count, in_order=few > 0) as grid:
                yield grid

    def processes(self, run: SimulatedRun) -> int:
        return processes_for(self.workers, run.config.train, len(run.clients))


class ProcessGrid(LocalGrid):
    """The same, but messages that compute are answered by processes, `workers` of them at a time.

    A client whose process dies has failed to answer that message; it has a new one for the next. A client answers one
    message at a time, and what nobody waits for any more is not begun.
    """

    def __init__(
        self, client_app: str, nodes: Sequence[Mapping[str, str]], workers: int, in_order: bool = False
    ) -> None:
        """
        Args:
            client_app: as `module:name`, for processes to find.
            in_order: give replies in the order of the messages: the first k of n are the same ones, whoever is quick.
        """
        self._in_order = in_order
        self._quick: set[str] = set()  # those that wait and compute nothing
        super().__init__(attribute(client_app), nodes)
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
        by_time = sorted(self._waiting.items(), key=lambda each: -self._took.get(node_of(each[1]), 0.0))
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
        at_work = {node_of(message) for message, _ in self._begun.values()}
        while len(at_work) < self._processes.count:
            number = next((each for each, message in self._waiting.items() if node_of(message) not in at_work), None)
            if number is None:
                return
            message = self._waiting.pop(number)
            node = node_of(message)
            at_work.add(node)
            self._begun[number] = message, time.monotonic()
            self._processes.submit(number, (message, self._contexts[node]))

    def _keep(self, done: Done) -> None:
        number = cast(str, done.key)
        message, began = self._begun.pop(number)
        self._took[node_of(message)] = time.monotonic() - began
        if done.fault is None:
            self._replies[number], self._contexts[node_of(message)] = done.result
        else:
            error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, done.fault)
            self._replies[number] = Message(error, reply_to=message)

    def _show(self, what: str, done: int, total: int) -> None:
        """Only while processes work: lines of this process are not to run into theirs."""
        if self._shown is None:
            self._shown = self._showing.enter_context(progress.side_by_side())
        self._shown(what, done, total)


def _answered(client_app: str, task: tuple[Message, Context], tell: Tell) -> tuple[Message, Context]:
    """In a process of its own: the reply, and what the client keeps in its context."""
    message, context = task
    progress.tell_another(tell)
    return answer(attribute(client_app), message, context), context
