"""`fedrec forget approve, refuse, hold, release, extend, cancel`: what is decided, signed with an operator's key."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from unlearning.commands.forget.arguments import Opened, Operator, RequestId, over_workflow

Waiting = Annotated[
    str | None, typer.Argument(help="The request; as much of its id as no other begins with; none = all that wait.")
]


@over_workflow
def approve(
    given: Opened,
    id: Waiting = None,
    identity: Annotated[str, typer.Option(help="How the person was identified.")] = "known-account",
    by: Operator = None,
) -> None:
    """ID: approve a request, once the person is identified; without ID, every one that waits."""
    from unlearning.requests.states import State

    workflow, approver = given.workflow, given.acting(by, "approver")
    waiting = workflow.ledger.list(State.RECEIVED)
    ids = [workflow.named(id)] if id is not None else [request.id for request in waiting]
    before = {each: workflow.ledger.get(each).approver for each in ids}
    approved = [workflow.approve(each, approver, identity) for each in ids]
    for request in approved:
        if first := before[request.id]:
            said = f"approved by {first} before: nothing changed"
        else:
            said = "approved" if request.four_eyes else "approved by the one operator there is"
        given.say(f"{request.id}  {request.state.value}, {said}")
    if not approved:
        given.say("no request waits for approval")
    given.write(approved[0].public() if id else {"requests": [request.public() for request in approved]})


@over_workflow
def refuse(
    given: Opened,
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why; the person is told.")],
    complaint: Annotated[str, typer.Option(help="Where the person can complain.")],
    by: Operator = None,
) -> None:
    """ID: refuse a request, with the reason and the route for a complaint."""
    _decide(given, id, by, says="refused", reason=reason, complaint=complaint)


@over_workflow
def hold(
    given: Opened,
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why, for example a legal duty to keep the data.")],
    by: Operator = None,
) -> None:
    """ID: stop a request where it is; `release` lets it go on."""
    _decide(given, id, by, says="held", reason=reason)


@over_workflow
def release(given: Opened, id: RequestId, by: Operator = None) -> None:
    """ID: let a held or failed request go on."""
    _decide(given, id, by, says="released")


@over_workflow
def extend(
    given: Opened,
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why more time is needed; the person is told.")],
    by: Operator = None,
) -> None:
    """ID: two more months to answer, once."""
    _decide(given, id, by, says="extended", reason=reason)


@over_workflow
def cancel(
    given: Opened,
    id: RequestId,
    reason: Annotated[str, typer.Option(help="Why, for example that the person no longer wants it.")],
    by: Operator = None,
) -> None:
    """ID: end a request that is no longer wanted, before anything was done; for who submitted it, or an approver."""
    _decide(given, id, by, says="cancelled", reason=reason)


def _decide(given: Opened, id: str, by: str | None, **decision: Any) -> None:
    from unlearning.requests.states import OPEN
    from unlearning.requests.transitions import Decision
    from unlearning.workflow.correspondence import DECISIONS, path_of

    workflow, decided = given.workflow, Decision(**decision)
    before = workflow.ledger.get(workflow.named(id))
    request = workflow.decide(before.id, decided, given.acting(by, "approver"))
    if request == before:
        given.say(f"{request.id}  {request.state.value} before: nothing changed")
        given.write(request.public())
        return
    answer = f", to be answered by {request.due_at}" if request.state in OPEN else ""
    given.say(f"{request.id}  {request.state.value}{answer}")
    if decided.says in DECISIONS:
        given.say(f"letter to whoever asked: {path_of(workflow, request.id, decided.says)}")
        given.tell_sender()
    given.write(request.public())
