"""A transport: the clients live in this process, and the one that was asked last is the first to answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flwr.app import Message
from flwr.serverapp import Grid

from clients.app import app
from server.simulated_run import SimulatedRun
from server.transports.in_process import LocalGrid
from server.transports.transport import Transport


class LastFirst(Transport):
    @contextmanager
    def reach(self, run: SimulatedRun) -> Iterator[Grid]:
        yield _Grid(app, run.nodes())


class _Grid(LocalGrid):
    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return super().pull_messages(reversed(list(message_ids)))
