"""The ledger's tables and their versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Index, Table
from sqlalchemy.types import TypeDecorator

from fedrec.errors import FedrecError
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

versions = Table("schema_version", metadata, Column("version", sa.Integer, nullable=False))

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
    Column("shards", json),
    Column("plan", json),
    Column("certificate", sa.Text),
    Column("timings", json, nullable=False),
    Index("by_state", "state", "due_at"),
    Index("by_requester", "requester", "state"),
    Index("by_arrival", "requester", "recorded_at"),
)

IS_OPEN = requests.c.state.in_(OPEN)

steps = Table(
    "steps",
    metadata,
    Column("request", sa.ForeignKey(requests.c.id), primary_key=True),
    Column("step", sa.Text, primary_key=True),
    Column("seconds", sa.Float, nullable=False, comment="since the request was received"),
    Column("facts", json, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("client", sa.Text, primary_key=True),
    Column("number", sa.Integer, primary_key=True, autoincrement=False),
    Column("request", sa.Text, nullable=False),
    Column("head", sa.String(64), nullable=False),
    Column("sealed", sa.LargeBinary, nullable=False, comment="tombstones, for the client's vault alone"),
)


def _with_links(connection: Connection) -> None:
    blob = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    connection.exec_driver_sql(
        "CREATE TABLE links (client TEXT NOT NULL, number INTEGER NOT NULL, request TEXT NOT NULL,"
        f" head VARCHAR(64) NOT NULL, sealed {blob} NOT NULL, PRIMARY KEY (client, number))"
    )


Upgrade = Callable[[Connection], None]


def _nothing_is_signed(connection: Connection) -> None:
    """From version 1, whose requests bear no signature that can be verified again."""
    raise FedrecError(
        "the ledger has schema version 1, in which nothing is signed that this fedrec could verify: finish its "
        "requests with the fedrec that made it, or name another --database"
    )


UPGRADES: Sequence[Upgrade] = (_nothing_is_signed, _with_links)
"""From version 1 to 2, from 2 to 3 and so on. `metadata` is always the newest version; an upgrade never reads it."""


def bring_up(connection: Connection, upgrades: Sequence[Upgrade] = UPGRADES) -> None:
    """Make the tables, or bring those of an older version up to this one's, within the connection's transaction.

    Raises:
        FedrecError: they are of a newer version than this program knows.
    """
    newest = 1 + len(upgrades)
    if not sa.inspect(connection).has_table(versions.name):
        metadata.create_all(connection)
        connection.execute(sa.insert(versions).values(version=newest))
        return
    version = connection.execute(sa.select(versions.c.version)).scalar_one()
    if version > newest:
        raise FedrecError(f"the ledger has schema version {version}, this fedrec knows {newest}: use a newer fedrec")
    if version < newest:
        for upgrade in upgrades[version - 1 :]:
            upgrade(connection)
        connection.execute(sa.update(versions).values(version=newest))
