"""`fedrec forget status, list, show`: what is open and until when, and all that is known of one request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from fedrec.text import amount
from unlearning.commands.forget.arguments import Opened, RequestId, over_workflow
from unlearning.commands.forget.audit import warn_altered

if TYPE_CHECKING:
    from unlearning.audit.fields import Condition
    from unlearning.requests.request import Request
    from unlearning.requests.scope import Kind, Scope


@over_workflow
def status(given: Opened) -> None:
    """Open requests, late ones first, with the days that are left, and how many there are in each state."""
    found, counts = given.workflow.ledger.status()
    unreadable = {each.id: each.why for each in given.workflow.ledger.unreadable()}
    waiting = [brief for brief in found if brief.id not in unreadable]
    day = today()
    for id, why in unreadable.items():
        given.say(f"{id}  unreadable: {why}", style="red")
    for brief in waiting:
        why = f"; {brief.why}" if brief.why else ""
        line = _line(brief.id, brief.state, brief.kind, brief.conditions, brief.due_at)
        given.say(f"{line}, {left(brief.due_at, day)}{why}")
    given.say(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no requests")
    warn(given, ((brief.due_at, brief.id) for brief in waiting))
    warn_altered(given)
    told = [
        {
            **brief._asdict(),
            "due_at": str(brief.due_at),
            "received_at": str(brief.received_at),
            "days_left": (brief.due_at - day).days,
        }
        for brief in waiting
    ]
    written = {"open": told, "counts": {str(state): count for state, count in counts.items()}}
    given.write(written | {"unreadable": [{"id": id, "why": why} for id, why in unreadable.items()]})


@over_workflow
def list_(given: Opened) -> None:
    """All requests."""
    found = given.workflow.ledger.list()
    for request in found:
        given.say(_line(request.id, request.state, request.scope.kind, request.scope.conditions, request.due_at))
    given.write({"requests": [request.public() for request in found]})


@over_workflow
def show(given: Opened, id: RequestId) -> None:
    """ID: what is known of one request: its state, days, decisions, shards and documents; no person is named."""
    from unlearning.audit import log
    from unlearning.certificates import times

    workflow = given.workflow
    request = workflow.ledger.get(workflow.named(id))
    documents = workflow.documents_of(request.id)
    lines = log.read(workflow.audit.path)
    reached = times.reached(lines, request.id)
    came = [(state, f"{at:%Y-%m-%d %H:%M} UTC") for state, at in reached.items()]
    began, ended = times.bridged(lines, request.id)
    if began is not None:
        until = f" until {ended:%Y-%m-%d %H:%M} UTC" if ended else ", until the exact answer is trained"
        came.append(("approximate", f"answer served from {began:%Y-%m-%d %H:%M} UTC{until}"))
    for name, value in (*_facts(request), *came, *documents.items()):
        given.say(f"{name:<13}{value}")
    given.write({**request.public(), "documents": {name: str(path) for name, path in documents.items()}})


def warn(given: Opened, open_requests: Iterable[tuple[date, str]]) -> None:
    """One line where a last day, with the request whose it is, is near or over."""
    day = today()
    near = day + timedelta(days=given.workflow.rules.ledger.warn_days)
    if soon := sorted((due, id) for due, id in open_requests if due <= near):
        due, first = soon[0]
        many = f"{amount(len(soon), 'open request')} due by {near} or late"
        given.say(f"warning: {many}; the first is {first[:8]}, {left(due, day)}", style="bold red")


def left(due: date, day: date) -> str:
    """How long there is to answer, in words."""
    days = (due - day).days
    if days < 0:
        return f"LATE by {amount(-days, 'day')}"
    return f"{amount(days, 'day')} left"


def today() -> date:
    return datetime.now(UTC).date()


def _facts(request: Request) -> list[tuple[str, str]]:
    from unlearning.requests.states import OPEN

    waits = f" ({left(request.due_at, today())})" if request.state in OPEN else ""
    stopped = f", at {request.came_from}" if request.came_from else ""
    found = [
        ("request", request.id),
        ("state", f"{request.state}{stopped}"),
        ("of", _scope(request.scope)),
        ("received", f"{request.received_at:%Y-%m-%d}, by {request.channel}, on ground {request.ground}"),
        ("recorded", f"{request.recorded_at:%Y-%m-%d %H:%M} UTC"),
        ("due", f"{request.due_at}{', extended' if request.extended else ''}{waits}"),
        ("asked by", request.requester),
    ]
    if request.approver is not None:
        how = f"identified by {request.identity.method}" if request.identity else "identified"
        found.append(("approved by", f"{request.approver}, {how}"))
    found += [(word, reason) for word, reason in request.reasons.items()]
    if request.shards is not None:
        found.append(("shards", ", ".join(map(str, request.shards)) or "none"))
    return found


def _scope(scope: Scope) -> str:
    """What it is of, in words, without a value that names somebody."""
    what = "a person's rows" if "person" in scope.conditions else "rows"
    named = {"items": "on the items named", "rows": "that are named", "dates": "of the days named"}
    narrowed = "".join(f" {named[each]}" for each in scope.conditions if each in named)
    where = f" at client {scope.client}" if scope.client else ""
    return f"{'' if narrowed else 'all '}{what}{narrowed}{where}"


def _line(id: str, state: str, kind: Kind, conditions: Sequence[Condition], due: date) -> str:
    """What narrows the request down stands with its kind: it is not all of a user that goes."""
    own = {"user": "person", "item": "items"}.get(kind, kind)
    narrowed = "".join(f", {condition}" for condition in conditions if condition != own)
    return f"{id}  {state:<12}{f'{kind}{narrowed}':<8}{'  ' if narrowed else ''}due {due}"
