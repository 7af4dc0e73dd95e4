"""What a transport is: how the server reaches the clients of a run. What comes of the run does not depend on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from flwr.serverapp import Grid

from fedrec.parallel.worker_count import AUTO
from server.simulated_run import SimulatedRun

CLIENTS = "clients.app:app"
"""The ClientApp, by name: the server imports no client."""


@dataclass(frozen=True)
class Transport(ABC):
    """
    Attributes:
        workers: clients that compute at a time, as `parse_workers` gives it.
    """

    workers: str | int = AUTO

    @abstractmethod
    def reach(self, run: SimulatedRun) -> AbstractContextManager[Grid]:
        """A Flower Grid with a node for each client of the run."""

    def processes(self, run: SimulatedRun) -> int:
        """How many processes beside this one compute for the clients of a run on this machine."""
        return 0
