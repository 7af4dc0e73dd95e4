"""A federation from its first round, or the next one, to its page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from flwr.serverapp import Grid

from fedrec.console.progress import working
from fedrec.reporting.run_page import write_report
from server.catching_up import catch_up
from server.federation import Entry, Federation
from server.meeting import meet
from server.prepare import initial_of
from server.results import write_result
from server.run import Run
from server.simulated_run import SimulatedRun
from server.transports.in_process import InProcess
from server.transports.transport import Transport
from unlearning.workflow.erasures import erasures
from unlearning.workflow.findings import refuse_altered
from unlearning.workflow.workflow import Workflow


def run_rounds(grid: Grid, run: Run, on_round: Callable[[Entry], None] = lambda entry: None) -> dict[str, Any]:
    """All rounds of a prepared run that are not done yet; writes and gives its result.json.

    Its page is the caller's to write, as a Flower app bundle carries no templates.
    """
    if Workflow.is_open(run):
        workflow = Workflow(run)
        with working("asking the clients what they have erased"), closing(workflow.ledger) as ledger:
            refuse_altered(workflow)
            catch_up(grid, run, meet(grid, run)[0], ledger)
    Federation(grid, run, initial_of(run), on_round).rounds()
    return write_result(run)


def write_result_and_page(run: Run, database: str | None = None) -> dict[str, Any]:
    """result.json and report.html, from what is on disk and in the ledger, which is the one `Workflow` finds."""
    result = write_result(run)
    _write_page(run, result, database)
    return result


def _write_page(run: Run, result: dict[str, Any], database: str | None = None) -> None:
    write_report(result, run.folder / "report.html", erasures(run, database))


def simulate(
    run: SimulatedRun, transport: Transport | None = None, on_round: Callable[[Entry], None] = lambda entry: None
) -> None:
    """Run the federation over a transport, in this process without one, then write its page."""
    with (transport or InProcess()).reach(run) as grid:
        result = run_rounds(grid, run, on_round)
    _write_page(run, result)
