"""Requests in and out of the database."""

from __future__ import annotations

from dataclasses import asdict, fields

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from unlearning.requests.request import Request
from unlearning.requests.schema import requests
from unlearning.requests.states import TERMINAL

ORDER = requests.c.due_at, requests.c.received_at, requests.c.id
"""The first due first, so that late ones lead."""

_COLUMNS = [requests.c[field.name] for field in fields(Request)]
_REQUEST = TypeAdapter(Request)


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
    found = connection.execute(select(*_COLUMNS).where(*conditions).order_by(*ORDER))
    return [_REQUEST.validate_python(dict(row)) for row in found.mappings()]


def read_ids(connection: Connection, *conditions: ColumnElement[bool]) -> list[str]:
    """Their ids, sorted."""
    return list(connection.execute(select(requests.c.id).where(*conditions).order_by(requests.c.id)).scalars())


def count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    """How many there are."""
    return connection.execute(select(func.count()).select_from(requests).where(*conditions)).scalar_one()
