"""A run as the commands of `fedrec forget` need it: its executor over the clients here, then its result and page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server.simulated_run import SimulatedRun
from unlearning.executor import Executor
from unlearning.requests.ledger import Ledger


@dataclass(frozen=True)
class RunHost:
    """The host of a run whose clients are on this machine.

    What computes is imported when it is used: a request is submitted, and its status told, without it.
    """

    model: SimulatedRun

    @contextmanager
    def executor(self, ledger: Ledger, workers: str | int = 0) -> Iterator[Executor]:
        """
        Args:
            workers: as `parse_workers` gives it.
        """
        from server.federated_executor import FederatedExecutor
        from server.transports.processes import SideBySide

        with SideBySide(workers).reach(self.model) as grid:
            yield FederatedExecutor(self.model, grid, ledger)

    def stale_files(self, ledger: Ledger) -> Iterator[tuple[str, str]]:
        from server.integrity.stale import stale_files

        return stale_files(self.model, ledger)

    def warnings(self) -> Iterable[str]:
        from server.integrity.baselines import warnings_of

        return warnings_of(self.model)

    def publish(self, database: str | None) -> None:
        from server.results import write_page, write_result

        write_result(self.model)
        write_page(self.model, database)
