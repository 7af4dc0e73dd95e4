"""`fedrec forget audit`: whether log, certificates, ledger and operators still tell the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import FedrecError, command
from fedrec.options import Json
from unlearning.commands.forget.arguments import Database, Operator, RunOption, acting, open_host

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from unlearning.executor import Host
    from unlearning.workflow.workflow import Workflow


def audit(
    head: Annotated[
        Path | None, typer.Option(help="Write here where log and certificates end now; keep it elsewhere.")
    ] = None,
    since: Annotated[Path | None, typer.Option(help="Compare with what --head wrote before.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Go on in spite of what is found; the log says who.")
    ] = False,
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """Check the audit log, the row of certificates with evidence, and ledger, operators and models against both."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.files import write_json
    from unlearning.workflow import findings
    from unlearning.workflow.head import head as head_of
    from unlearning.workflow.head import read_head

    host, workflow, console = open_host(run, database, json)
    kept = read_head(since) if since else None
    with working("looking through log, certificates, evidence and models"):
        found = findings.findings(workflow, kept, evidence=True, here=host.put_back(workflow.ledger))
    for finding in found:
        word = "seen" if finding.accepted else "FAIL"
        console.print(f"{word}  {finding.about}: {finding.why}", markup=False, soft_wrap=True)
    notes = [f"certificate {said.request}: {said.why}" for said in findings.began_with(workflow) if not said.fault]
    for note in notes:
        console.print(f"note  {note}", style="dim", markup=False, soft_wrap=True)
    new = [finding for finding in found if not finding.accepted]
    if accept and new:
        operator = acting(workflow, by, "approver", console)
        findings.accept(workflow, operator, new)
        console.print(f"accepted by {operator}, as the log says now: {len(new)}", markup=False, soft_wrap=True)
        new = []
    told = [{"about": one.about, "why": one.why, "accepted": one.accepted or accept} for one in found]
    write_result({"ok": not new, "findings": told, "unchecked": notes}, json)
    if new:
        raise FedrecError(f"{len(new)} found: restore what was altered, or go on with --accept")
    if head is not None:
        write_json(head, head_of(workflow).model_dump(mode="json"))
    console.print("log, certificates, ledger and operators tell the same" if not found else "nothing else is wrong")


def warn_altered(host: Host, workflow: Workflow, console: Terminal) -> None:
    """One line where something is not as it was left, and one for each model beside that is of before an erasure."""
    from fedrec.console.progress import working
    from unlearning.workflow.findings import unaccepted

    with working("looking through log, certificates and baselines"):
        found, old = unaccepted(workflow), list(host.warnings())
    for line in old:
        console.print(line, style="red", markup=False, soft_wrap=True)
    if found:
        console.print(
            f"the audit finds {len(found)}, the first: {found[0].about}: {found[0].why}; see "
            f"{command('forget audit --run', workflow.model.folder)}",
            style="red", markup=False, soft_wrap=True,
        )  # fmt: skip
