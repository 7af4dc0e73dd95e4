"""A run as the commands of `fedrec forget` need it: its executor over the clients here, then its result and page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server.federated_executor import FederatedExecutor
from server.renewal import put_back
from server.simulated_run import SimulatedRun
from server.simulation import write_result_and_page
from server.transports.processes import SideBySide
from unlearning.requests.ledger import Ledger


@dataclass(frozen=True)
class RunHost:
    """The host of a run whose clients are on this machine."""

    model: SimulatedRun

    @contextmanager
    def executor(self, ledger: Ledger, workers: str | int = 0) -> Iterator[FederatedExecutor]:
        """
        Args:
            workers: as `parse_workers` gives it.
        """
        with SideBySide(workers).reach(self.model) as grid:
            yield FederatedExecutor(self.model, grid, ledger)

    def put_back(self, ledger: Ledger) -> Iterator[tuple[str, str]]:
        return put_back(self.model, ledger)

    def publish(self, database: str | None) -> None:
        write_result_and_page(self.model, database)
