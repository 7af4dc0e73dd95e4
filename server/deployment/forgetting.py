"""`fedrec forget` over a run of a deployed federation: the executor of a federation, over a relay to its clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedrec.deployment.settings import ServerSettings, read_settings
from fedrec.files import write_json
from server.deployment.deployed_run import DeployedRun
from server.deployment.submission import Connection
from server.remote_folder import is_remote, on_server
from unlearning.executor import Executor
from unlearning.requests.ledger import Ledger


@dataclass(frozen=True)
class DeployedHost:
    """The host of a run whose clients are on machines of their own.

    Attributes:
        submitted: the folder of whoever submitted the run, where it was opened by that.
    """

    model: DeployedRun
    toml: Path
    submitted: Path | None = None

    @classmethod
    def at(cls, folder: Path) -> DeployedHost:
        """
        Args:
            folder: the submitter's, or the server's own.

        Raises:
            UsageError: the server's is not on this machine.
        """
        run, toml = on_server(folder)
        return cls(DeployedRun(run), toml, folder if is_remote(folder) else None)

    @contextmanager
    def executor(self, ledger: Ledger, workers: str | int = 0) -> Iterator[Executor]:
        """
        Args:
            workers: of no use: clients compute on their own machines.
        """
        from server.deployment.executor import DeployedExecutor
        from server.deployment.registry import nodes_of
        from server.deployment.relay import relayed
        from server.registered_grid import RegisteredGrid

        settings = read_settings(self.toml, ServerSettings)
        with relayed(settings, Connection.named(str(self.toml))) as grid:
            registered = RegisteredGrid(grid, nodes_of(settings)).only(self.model.clients)
            yield DeployedExecutor(self.model, registered, ledger, settings.patience)

    def stale_files(self, ledger: Ledger) -> Iterator[tuple[str, str]]:
        """On the server; what is at the clients they tell themselves when they are asked."""
        from server.integrity.stale import stale_on_server

        return stale_on_server(self.model, ledger)

    def warnings(self) -> Iterable[str]:
        return ()

    def publish(self, database: str | None) -> None:
        from fedrec.reporting.run_page import write_report
        from server.results import write_page, write_result
        from unlearning.workflow.erasures import erasures

        result = write_result(self.model)
        write_page(self.model, database)
        if self.submitted is not None:
            write_json(self.submitted / "result.json", result)
            write_report(result, self.submitted / "report.html", erasures(self.model, database))
