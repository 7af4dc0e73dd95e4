"""Whether what a run here answers and shows is of what its erasures have left."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fedrec.errors import FedrecError, command

if TYPE_CHECKING:
    from server.run import Run


def check_current(run: Run, database: str | None = None) -> None:
    """Warn of baselines that are of before an erasure.

    Args:
        database: URL of the ledger; None = where it is anyway.

    Raises:
        FedrecError: a client's folder, or the baseline that is asked, is an old copy, which was put back: nothing may
            answer from it.
    """
    home = run.main
    if not (home.folder / "erasure").is_dir():
        return
    from fedrec.console.json_output import warn
    from server.integrity.baselines import check_baseline, warnings_of
    from server.integrity.replay import refuse
    from server.integrity.stale import lacking
    from server.simulated_run import open_run
    from unlearning.workflow.findings import refuse_unproved
    from unlearning.workflow.newest_erasure import LACKS
    from unlearning.workflow.workflow import Workflow

    if not Workflow.is_open(home, database):
        return
    workflow = Workflow(home, database)
    with closing(workflow.ledger) as ledger:
        refuse_unproved(workflow)
        here = open_run(home.folder)
        refuse(home, dict.fromkeys(lacking(here, ledger), LACKS))
    if run is not home:
        check_baseline(open_run(run.folder))
    warn(warnings_of(here))


def check_shown(run: Run, database: str | None = None) -> None:
    """The same of what is shown of a run, which answers nobody.

    Raises:
        FedrecError: its figures are of before an erasure.
    """
    if not (run.main.folder / "erasure").is_dir():
        return
    from server.integrity.figures import is_stale_result
    from server.results import result_of
    from unlearning.workflow.workflow import Workflow

    check_current(run, database)
    path, done = run.folder / "result.json", run.rounds.last() is not None
    if done and Workflow.is_open(run.main, database) and is_stale_result(path, result_of(run)):
        mend = command("forget run --run", run.main.folder)
        raise FedrecError(
            f"{path}: not what the rounds tell, as if an old copy had been put back; {mend} writes it again"
        )
