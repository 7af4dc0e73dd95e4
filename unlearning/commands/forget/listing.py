"""`fedrec forget status, list, show`: what is open and until when, and all that is known of one request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from fedrec.options import Json
from unlearning.commands.forget.arguments import Database, RequestId, RunOption, open_host, open_workflow
from unlearning.commands.forget.audit import warn_altered

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from unlearning.audit.fields import Condition
    from unlearning.requests.request import Request
    from unlearning.requests.scope import Kind, Scope
    from unlearning.workflow.workflow import Workflow


class Due(Protocol):
    """What has a last day."""

    @property
    def id(self) -> str: ...

    @property
    def due_at(self) -> date: ...


def status(run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """Open requests, late ones first, with the days that are left, and how many there are in each state."""
    from fedrec.console.json_output import write_result

    host, workflow, console = open_host(run, database, json)
    waiting, counts = workflow.ledger.status()
    day = today()
    for brief in waiting:
        line = f"{_line(brief.id, brief.state, brief.kind, brief.conditions, brief.due_at)}, {left(brief.due_at, day)}"
        if brief.why:
            line += f"; {brief.why}"
        console.print(line, markup=False, soft_wrap=True)
    console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no requests")
    warn(workflow, console, waiting)
    warn_altered(host, workflow, console)
    told = [
        {
            **brief._asdict(), "due_at": str(brief.due_at), "received_at": str(brief.received_at),
            "days_left": (brief.due_at - day).days,
        }
        for brief in waiting
    ]  # fmt: skip
    write_result({"open": told, "counts": {str(state): count for state, count in counts.items()}}, json)


def list_(run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """All requests."""
    from fedrec.console.json_output import write_result

    workflow, console = open_workflow(run, database, json)
    found = workflow.ledger.list()
    for request in found:
        line = _line(request.id, request.state, request.scope.kind, request.scope.conditions, request.due_at)
        console.print(line, markup=False, soft_wrap=True)
    write_result({"requests": [request.public() for request in found]}, json)


def show(id: RequestId, run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """ID: what is known of one request: its state, days, decisions, shards and documents; no person is named."""
    from fedrec.console.json_output import write_result
    from unlearning.audit import log
    from unlearning.certificates import times

    workflow, console = open_workflow(run, database, json)
    request = workflow.ledger.get(workflow.named(id))
    documents = workflow.documents_of(request.id)
    reached = times.reached(log.read(workflow.audit.path), request.id) if workflow.audit.path.exists() else {}
    came = [(state, f"{at:%Y-%m-%d %H:%M} UTC") for state, at in reached.items()]
    lines = [*_facts(request), *came, *documents.items()]
    for name, value in lines:
        console.print(f"{name:<13}{value}", markup=False, soft_wrap=True)
    write_result({**request.public(), "documents": {name: str(path) for name, path in documents.items()}}, json)


def warn(workflow: Workflow, console: Terminal, open_requests: Iterable[Due]) -> None:
    """One line where a last day is near or over."""
    day = today()
    near = day + timedelta(days=workflow.rules.ledger.warn_days)
    soon = sorted((request.due_at, request.id) for request in open_requests if request.due_at <= near)
    if soon:
        due, first = soon[0]
        console.print(
            f"warning: {len(soon)} open request{'s' if len(soon) > 1 else ''} due by {near} or late;"
            f" the first is {first[:8]}, {left(due, day)}",
            style="bold red", markup=False, soft_wrap=True,
        )  # fmt: skip


def left(due: date, day: date) -> str:
    """How long there is to answer, in words."""
    days = (due - day).days
    if days < 0:
        return f"LATE by {-days} day{'s' if days < -1 else ''}"
    return f"{days} day{'s' if days != 1 else ''} left"


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
