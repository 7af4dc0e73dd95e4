"""Every approved request of a model, carried out by whoever may write to it, and what came of it published."""

from __future__ import annotations

from typing import Any

from fedrec.errors import FedrecError, Interrupted, command
from fedrec.lock import only_writer
from unlearning.executor import Host, Say
from unlearning.way import Way
from unlearning.workflow.execution import Execution
from unlearning.workflow.workflow import Workflow


def carry_out(
    host: Host,
    workflow: Workflow,
    signer: str,
    *,
    workers: str | int = 0,
    say: Say = lambda text: None,
    rederive: bool = False,
    way: Way = Way.EXACT,
    database: str | None = None,
) -> list[dict[str, Any]]:
    """What came of each request.

    Args:
        signer: the operator who signs plans and certificates.
        workers: as `parse_workers` gives it.
        rederive: as `Execution` has it.
        way: of what was not begun yet.
        database: URL of the ledger; None = where it is anyway.

    Raises:
        FedrecError: log, certificates, ledger and operators do not tell the same, and nothing was done; or something
            is still of before an erasure.
        Interrupted: stopped; the same again goes on.
    """
    try:
        with only_writer(workflow.model.folder), host.executor(workflow.ledger, workers) as executor:
            outcomes = Execution(workflow, executor, signer, say, rederive, way).run()
            host.publish(database)
            for path, why in host.stale_files(workflow.ledger):
                raise FedrecError(f"{path}: {why.partition('; ')[0]}, and this did not put it right: restore it")
    except KeyboardInterrupt:
        again = "forget run --rederive" if rederive else "forget run"
        raise Interrupted(
            f"stopped; {command(f'{again} --by {signer} --run', workflow.model.folder)} goes on"
        ) from None
    return outcomes
