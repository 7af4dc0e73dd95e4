"""Requests in and out of the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select, update

from unlearning.requests.request import Brief, Identity, Request, Signature
from unlearning.requests.schema import IS_OPEN, requests, steps
from unlearning.requests.scope import Kind, Scope
from unlearning.requests.states import TERMINAL, State

Facts = Mapping[str, Any]
NAMES = tuple(field.name for field in fields(Request))
COLUMNS = [requests.c[name] for name in NAMES]
BRIEF = [
    *(requests.c[name] for name in Brief._fields[:-2]),
    requests.c.scope["kind"].as_string(),
    requests.c.scope["conditions"],
]
ORDER = requests.c.due_at, requests.c.received_at, requests.c.id


def add(connection: Connection, request: Request) -> None:
    """A new request."""
    connection.execute(insert(requests).values(**_row(request)))


def save(connection: Connection, request: Request) -> None:
    """A request that is there already, as it is now."""
    connection.execute(update(requests).where(requests.c.id == request.id).values(_row(request)))


def read(connection: Connection, *conditions: ColumnElement[bool]) -> list[Request]:
    """The requests that meet them all, the first due first."""
    found = connection.execute(select(*COLUMNS).where(*conditions).order_by(*ORDER))
    return [_request(row) for row in found.mappings()]


def read_open(connection: Connection) -> list[Brief]:
    """The open requests in brief, the first due first."""
    found = connection.execute(select(*BRIEF).where(IS_OPEN).order_by(*ORDER))
    return [Brief._make([*row[:-2], Kind(row[-2]), tuple(row[-1])]) for row in found]


def read_ids(connection: Connection, *conditions: ColumnElement[bool]) -> list[str]:
    return list(connection.execute(select(requests.c.id).where(*conditions)).scalars())


def read_sealed(connection: Connection, ids: Sequence[str]) -> Iterator[tuple[str, bytes, str | None]]:
    """What is sealed in each of some requests, and its client."""
    columns = (requests.c.id, requests.c.sealed, requests.c.scope["client"].as_string())
    for part in _parts(ids):
        found = connection.execute(select(*columns).where(requests.c.id.in_(part)))
        yield from ((row[0], row[1], row[2]) for row in found)


def read_ended(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Those of the ids whose requests have ended."""
    ended = requests.c.state.in_(TERMINAL)
    return [id for part in _parts(ids) for id in read_ids(connection, requests.c.id.in_(part), ended)]


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as a statement takes."""
    return (ids[start : start + 1000] for start in range(0, len(ids), 1000))


def count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(requests).where(*conditions)).scalar_one()


def count_states(connection: Connection) -> dict[State, int]:
    found = connection.execute(select(requests.c.state, func.count()).group_by(requests.c.state))
    return dict(found.all())


def read_steps(connection: Connection, request_id: str) -> dict[str, dict[str, Any]]:
    """The facts of each step that was done, in the order they were."""
    chosen = select(steps.c.step, steps.c.facts).where(steps.c.request == request_id)
    return dict(connection.execute(chosen.order_by(steps.c.seconds, steps.c.step)).all())


def add_step(connection: Connection, request_id: str, step: str, seconds: float, facts: Facts) -> None:
    connection.execute(insert(steps).values(request=request_id, step=step, seconds=seconds, facts=dict(facts)))


def _row(request: Request) -> dict[str, Any]:
    return {
        **{name: getattr(request, name) for name in NAMES},
        "scope": asdict(request.scope),
        "identity": request.identity and asdict(request.identity),
        "signatures": {says: asdict(signature) for says, signature in request.signatures.items()},
        "shards": None if request.shards is None else list(request.shards),
    }


def _request(row: RowMapping) -> Request:
    values = dict(row)
    scope = values["scope"]
    lists = {name: tuple(scope[name]) for name in ("items", "conditions")}
    values["scope"] = Scope(**{**scope, **lists, "kind": Kind(scope["kind"])})
    values["identity"] = values["identity"] and Identity(**values["identity"])
    values["signatures"] = {says: Signature(**signature) for says, signature in values["signatures"].items()}
    values["shards"] = None if values["shards"] is None else tuple(values["shards"])
    return Request(**values)
