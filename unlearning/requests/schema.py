"""The ledger's tables, as the newest version has them."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table
from sqlalchemy.types import TypeDecorator

from unlearning.requests.states import OPEN, State


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, also on SQLite, which keeps no time zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


metadata = sa.MetaData()
json = sa.JSON(none_as_null=True)
state = sa.Enum(State, native_enum=False, length=16, values_callable=lambda states: [state.value for state in states])

requests = Table(
    "requests",
    metadata,
    Column("id", sa.String(36), primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("channel", sa.Text, nullable=False),
    Column("pseudonym", sa.String(64), nullable=False),
    Column("scope", json, nullable=False),
    Column("sealed", sa.LargeBinary, nullable=False),
    Column("ground", sa.Text, nullable=False),
    Column("requester", sa.Text, nullable=False),
    Column("due_at", sa.Date, nullable=False),
    Column("state", state, nullable=False),
    Column("came_from", state),
    Column("identity", json),
    Column("extended", sa.Boolean, nullable=False),
    Column("decision", sa.String(16)),
    Column("reasons", json, nullable=False),
    Column("approver", sa.Text),
    Column("signatures", json, nullable=False),
    Column("plan", json),
    Column("certificate", sa.Text),
    Column("mark", sa.String(75), comment="of what an open one asks: `SubjectKeys.mark`"),
    Index("by_state", "state", "due_at"),
    Index("by_requester", "requester", "state"),
    Index("by_arrival", "requester", "recorded_at"),
    Index("by_mark", "mark"),
)

IS_OPEN = requests.c.state.in_(OPEN)

links = Table(
    "links",
    metadata,
    Column("client", sa.Text, primary_key=True),
    Column("number", sa.Integer, primary_key=True, autoincrement=False),
    Column("request", sa.Text, nullable=False),
    Column("head", sa.String(64), nullable=False),
    Column("sealed", sa.LargeBinary, nullable=False, comment="tombstones, for the client's vault alone"),
)
