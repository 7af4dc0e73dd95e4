"""`fedrec forget approve, refuse, hold, release, extend, cancel`: what is decided, signed with an operator's key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.options import Json
from unlearning.commands.forget.arguments import (
    Database,
    Operator,
    RequestId,
    RunOption,
    acting,
    open_workflow,
    tell_sender,
)

if TYPE_CHECKING:
    from unlearning.requests.transitions import Decision


def approve(
    id: Annotated[
        str | None, typer.Argument(help="The request; as much of its id as no other begins with; none = all that wait.")
    ] = None,
    identity: Annotated[str, typer.Option(help="How the person was identified.")] = "known-account",
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: approve a request, once the person is identified; without ID, every one that waits."""
    from fedrec.console.json_output import write_result
    from unlearning.requests.states import State

    workflow, console = open_workflow(run, database, json)
    approver = acting(workflow, by, "approver", console)
    waiting = workflow.ledger.list(State.RECEIVED)
    ids = [workflow.named(id)] if id is not None else [request.id for request in waiting]
    approved = [workflow.approve(each, approver, identity) for each in ids]
    for request in approved:
        alone = "" if request.four_eyes else " by the one operator there is"
        console.print(f"{request.id}  {request.state.value}, approved{alone}", soft_wrap=True)
    if not approved:
        console.print("no request waits for approval")
    write_result(approved[0].public() if id else {"requests": [request.public() for request in approved]}, json)


def refuse(
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why; the person is told.")],
    complaint: Annotated[str, typer.Option(help="Where the person can complain.")],
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: refuse a request, with the reason and the route for a complaint."""
    from unlearning.requests.transitions import Decision

    _decide(id, Decision("refused", reason, complaint), by, run, database, json)


def hold(
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why, for example a legal duty to keep the data.")],
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: stop a request where it is; `release` lets it go on."""
    from unlearning.requests.transitions import Decision

    _decide(id, Decision("held", reason), by, run, database, json)


def release(
    id: RequestId, by: Operator = None, run: RunOption = None, database: Database = None, json: Json = None
) -> None:
    """ID: let a held or failed request go on."""
    from unlearning.requests.transitions import Decision

    _decide(id, Decision("released"), by, run, database, json)


def extend(
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why more time is needed; the person is told.")],
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: two more months to answer, once."""
    from unlearning.requests.transitions import Decision

    _decide(id, Decision("extended", reason), by, run, database, json)


def cancel(
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why, for example that the person no longer wants it.")],
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: end a request that is no longer wanted, before anything was done; for who submitted it, or an approver."""
    from unlearning.requests.transitions import Decision

    _decide(id, Decision("cancelled", reason), by, run, database, json)


def _decide(
    id: str, decision: Decision, by: str | None, run: Path | None, database: str | None, json: str | None
) -> None:
    from fedrec.console.json_output import write_result
    from unlearning.requests.states import OPEN
    from unlearning.workflow.correspondence import DECISIONS, path_of

    workflow, console = open_workflow(run, database, json)
    request = workflow.decide(workflow.named(id), decision, acting(workflow, by, "approver", console))
    answer = f", to be answered by {request.due_at}" if request.state in OPEN else ""
    console.print(f"{request.id}  {request.state.value}{answer}", markup=False, soft_wrap=True)
    if decision.says in DECISIONS:
        letter = path_of(workflow, request.id, decision.says)
        console.print(f"letter to whoever asked: {letter}", markup=False, soft_wrap=True)
        tell_sender(workflow, console)
    write_result(request.public(), json)
