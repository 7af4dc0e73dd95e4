"""Requests in and out of the database, which somebody may edit: what cannot be read concerns its own row alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Column, ColumnElement, Connection, RowMapping, func, insert, select, type_coerce, update
from sqlalchemy.types import NULLTYPE

from fedrec.text import one_line
from unlearning.requests.request import Request
from unlearning.requests.schema import requests
from unlearning.requests.states import TERMINAL

ORDER = requests.c.due_at, requests.c.received_at, requests.c.id
"""The first due first, so that late ones lead."""

_COLUMNS = [requests.c[field.name] for field in fields(Request)]
_REQUEST = TypeAdapter(Request)


@dataclass(frozen=True)
class Unreadable:
    """A row that is not as any fedrec writes it.

    Attributes:
        column: the first that cannot be read.
    """

    id: str
    column: str

    @property
    def why(self) -> str:
        return f"its {self.column} cannot be read"


def add(connection: Connection, request: Request, mark: str) -> None:
    """A new request.

    Args:
        mark: of what it asks.
    """
    connection.execute(insert(requests).values(**asdict(request), mark=mark))


def save(connection: Connection, request: Request) -> None:
    """A request that is there already, as it is now; one that has ended loses its mark."""
    ended = {"mark": None} if request.state in TERMINAL else {}
    connection.execute(update(requests).where(requests.c.id == request.id).values(**asdict(request), **ended))


def read(connection: Connection, *conditions: ColumnElement[bool]) -> list[Request]:
    """The requests that meet them all, in `ORDER`."""
    return [each for each in read_all(connection, *conditions) if isinstance(each, Request)]


def read_all(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Request | Unreadable]:
    """The same, with those that cannot be read."""
    for row in cells(connection, _COLUMNS, *conditions):
        yield row if isinstance(row, Unreadable) else _request(row)


def cells(
    connection: Connection, columns: Sequence[Column[Any]], *conditions: ColumnElement[bool]
) -> Iterator[dict[str, Any] | Unreadable]:
    """Some columns, the id among them, of the requests that meet the conditions, in `ORDER`."""
    raw = [type_coerce(column, NULLTYPE).label(column.name) for column in columns]  # else one cell stops them all
    dialect = connection.dialect
    readers = {each.name: each.type.dialect_impl(dialect).result_processor(dialect, None) for each in columns}
    for row in connection.execute(select(*raw).where(*conditions).order_by(*ORDER)).mappings():
        yield _cells(row, readers)


def _cells(row: RowMapping, readers: Mapping[str, Callable[[Any], Any] | None]) -> dict[str, Any] | Unreadable:
    values = dict(row)
    for name, reader in readers.items():
        try:
            values[name] = values[name] if reader is None else reader(values[name])
            if isinstance(values[name], str | dict):
                json.dumps(values[name], ensure_ascii=False, allow_nan=False).encode()  # as it is signed and printed
        except Exception:  # whatever somebody put there
            return Unreadable(_shown(row["id"]), name)
    return values


def _request(values: dict[str, Any]) -> Request | Unreadable:
    try:
        return _REQUEST.validate_python(values)
    except ValidationError as error:
        return Unreadable(_shown(values["id"]), str(error.errors()[0]["loc"][0]))


def _shown(id: object) -> str:
    """An id that somebody may have edited, so that it can be printed."""
    return one_line(str(id).encode("ascii", "backslashreplace").decode())


def read_ids(connection: Connection, *conditions: ColumnElement[bool]) -> list[str]:
    """Their ids, sorted."""
    return list(connection.execute(select(requests.c.id).where(*conditions).order_by(requests.c.id)).scalars())


def ended_days(connection: Connection, days: set[date], held: Collection[str] = ()) -> set[date]:
    """Those of the days on which none was recorded that has not ended; none while one tells no day.

    Args:
        held: requests whose keys are there still, whatever their state is called.
    """
    columns = [requests.c.id, requests.c.recorded_at]
    rows = [*cells(connection, columns, requests.c.state.not_in(TERMINAL) | requests.c.id.in_(held))]
    readable = [row for row in rows if not isinstance(row, Unreadable)]
    return days - {row["recorded_at"].date() for row in readable} if len(readable) == len(rows) else set()


def count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    """How many there are."""
    return connection.execute(select(func.count()).select_from(requests).where(*conditions)).scalar_one()
