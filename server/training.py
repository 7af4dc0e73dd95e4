"""A federation from its first round, or the next one, to its result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from flwr.serverapp import Grid

from fedrec.console.progress import working
from server.federation import Federation
from server.handshake import meet
from server.integrity.replay import catch_up
from server.results import write_result
from server.rounds import Entry
from server.run import Run
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
            catch_up(meet(grid, run), ledger)
    Federation(grid, run, on_round).rounds()
    return write_result(run)
