"""The database of a ledger: SQLite by default, PostgreSQL by URL, with one writer at a time on both.

What a writer decides rests on what it read (limits, duplicates, the state before), so writers take turns: on SQLite by
BEGIN IMMEDIATE, on PostgreSQL by an advisory lock of the transaction. Readers wait for nobody. A commit is on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, ProgrammingError

from fedrec.errors import FedrecError, UsageError
from unlearning.requests.schema import requests

LOCK = 0x666F72676574  # of this ledger's writers among a PostgreSQL database's advisory locks
WAIT_SECONDS = 30


class Database:
    """
    Raises:
        UsageError: the URL is of no database we know.
    """

    def __init__(self, url: str) -> None:
        self._url = _known(url)
        self._engine = _sqlite(self._url) if self._url.get_backend_name() == "sqlite" else _postgresql(self._url)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view."""
        with self._said_in_one_line(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction alone, committed at its end unless it raises."""
        with self._said_in_one_line(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _said_in_one_line(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, ProgrammingError):
            raise  # ours to mend, not the user's
        except DatabaseError as error:
            cause = " ".join(str(error.orig).split())
            raise FedrecError(f"ledger {self._url.render_as_string()}: {cause}") from None


def known_ids(url: str) -> set[str] | None:
    """The requests of the ledger in a database; None where there is none. Nothing is made.

    Raises:
        UsageError: the URL is of no database we know.
    """
    known = _known(url)
    if known.get_backend_name() == "sqlite" and not (known.database and Path(known.database).is_file()):
        return None
    database = Database(url)
    try:
        with database.reading() as connection:
            if not inspect(connection).has_table(requests.name):
                return None
            return set(connection.execute(select(requests.c.id)).scalars())
    finally:
        database.close()


def _known(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise UsageError(f"ledger {text!r} is no URL: write sqlite:///FILE or postgresql://USER@HOST/NAME") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise UsageError(
            f"ledger {url.drivername}://…: only sqlite:///FILE and postgresql://USER@HOST/NAME are supported"
        )
    return url


def _sqlite(url: URL) -> Engine:
    if url.database:
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")  # else one cell stops all
        connection.isolation_level = None  # the driver opens no transaction of its own: `begin` does
        with FileLock(f"{url.database}.lock", mode=0o600) if url.database else nullcontext():
            connection.execute("PRAGMA journal_mode = WAL")  # for this alone SQLite does not wait its turn
        for pragma in ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, connect_args={"options": f"-c lock_timeout={WAIT_SECONDS}s"})
    except ModuleNotFoundError:
        raise FedrecError("a ledger on PostgreSQL needs psycopg: pip install 'psycopg[binary]'") from None
