"""`fedrec forget audit`: whether log, certificates, ledger and operators still tell the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrec.errors import FedrecError, command
from unlearning.commands.forget.arguments import Opened, Operator, over_workflow


@over_workflow
def audit(
    given: Opened,
    head: Annotated[
        Path | None, typer.Option(help="Write here where log and certificates end now; keep it elsewhere.")
    ] = None,
    since: Annotated[Path | None, typer.Option(help="Compare with what --head wrote before.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Go on in spite of what is found; the log says who.")
    ] = False,
    by: Operator = None,
) -> None:
    """Check the audit log, the row of certificates with evidence, and ledger, operators and models against both."""
    from fedrec.console.progress import working
    from fedrec.files import write_json
    from unlearning.workflow import findings
    from unlearning.workflow.log_head import head as head_of
    from unlearning.workflow.log_head import read_head

    workflow, kept = given.workflow, read_head(since) if since else None
    with working("looking through log, certificates, evidence and models"):
        found = findings.findings(workflow, kept, evidence=True, here=given.host.stale_files(workflow.ledger))
    for finding in found:
        given.say(f"{'seen' if finding.accepted else 'FAIL'}  {finding.about}: {finding.why}")
    notes = [f"certificate {said.request}: {said.why}" for said in findings.began_with(workflow) if not said.fault]
    for note in notes:
        given.say(f"note  {note}", style="dim")
    new = [finding for finding in found if not finding.accepted]
    if accept and new:
        operator = given.acting(by, "approver")
        findings.accept(workflow, operator, new)
        given.say(f"accepted by {operator}, as the log says now: {len(new)}")
        new = []
    told = [{"about": one.about, "why": one.why, "accepted": one.accepted or accept} for one in found]
    given.write({"ok": not new, "findings": told, "unchecked": notes})
    if new:
        raise FedrecError(f"{len(new)} found: restore what was altered, or go on with --accept")
    if head is not None:
        write_json(head, head_of(workflow).model_dump(mode="json"))
    given.say("log, certificates, ledger and operators tell the same" if not found else "nothing else is wrong")


def warn_altered(given: Opened) -> None:
    """One line where something is not as it was left, and one for each model beside that is of before an erasure."""
    from fedrec.console.progress import working
    from unlearning.workflow.findings import unaccepted

    with working("looking through log, certificates and baselines"):
        found, old = unaccepted(given.workflow), list(given.host.warnings())
    if found:
        lists = command("forget audit --run", given.workflow.model.folder)
        old.append(f"the audit finds {len(found)}, the first: {found[0].about}: {found[0].why}; see {lists}")
    for line in old:
        given.say(line, style="red")
