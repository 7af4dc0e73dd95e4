"""A federation on one machine: the two apps in this process, or on Flower's Ray simulation."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fedrec.errors import FedrecError
from fedrec.report import write_report
from fedrec.store import Run
from server.federation import Entry, Federation
from server.prepare import initial_of
from server.results import write_result


def run_rounds(grid: Grid, run: Run, on_round: Callable[[Entry], None] = lambda entry: None) -> None:
    """All rounds of a prepared run that are not done yet, then its result and its page."""
    Federation(grid, run, initial_of(run), on_round).rounds()
    write_result_and_page(run)


def write_result_and_page(run: Run) -> dict[str, Any]:
    """result.json and report.html, from what is on disk."""
    result = write_result(run)
    write_report(result, run.folder / "report.html")
    return result


def simulate(run: Run, workers: int, on_round: Callable[[Entry], None] = lambda entry: None) -> None:
    """Run the federation with `workers` Ray processes, or within this one if 0."""
    if workers == 0:
        from clients.app import app as client_app
        from server.grid import LocalGrid

        run_rounds(LocalGrid(client_app, len(run.clients)), run, on_round)
    else:
        _simulate_on_ray(run, workers, on_round)


def _simulate_on_ray(run: Run, workers: int, on_round: Callable[[Entry], None]) -> None:
    from clients.app import app as client_app

    try:
        import ray  # noqa: F401
    except ImportError:
        raise FedrecError("--workers needs Ray: pip install 'fedrec[simulation]', or use --workers 0") from None
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    from flwr.simulation import run_simulation

    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        run_rounds(grid, run, on_round)

    # Ray counts tokens, not cores: each client takes one of `workers`, and computes with the run's own threads.
    backend: dict[str, dict[str, Any]] = {
        "init_args": {"num_cpus": workers, "include_dashboard": False},
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }
    logging.getLogger("flwr").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_simulation(server_app, client_app, len(run.clients), backend_config=backend)
