"""The vault's database: its tables, how it is opened, and how what was deleted leaves its files too.

rows         an interaction; `nth` tells apart rows of the same user, item and time
users        the users who have rows, in the order they came: the index that `Interactions` uses
groups       the same for the clients that a source names
items        titles: those of the rows, which go with the last row of their item, and those of a public list
tombstones   what must not come back, as a keyed digest; `refused` counts the rows that tried
erasures     what each request erased, each with the hash of the one before (`chain`)
allowed      by run, the adapters that may be served of those that learned from these rows
uses         what was used in which run, shard and round
meta         schema: version; key: a check value of the key, or DESTROYED

The version is checked here and not by alembic, as the ledger's is: a vault is opened for every message, and that would
take four times as long; and there is no older version to bring up.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fedrec.errors import FedrecError, UsageError, command

VERSION = "3"
DESTROYED = "destroyed"
WAIT = 30.0  # seconds for another process to finish

TABLES = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE items (id TEXT PRIMARY KEY, title TEXT NOT NULL, listed INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE rows (
        user INTEGER NOT NULL REFERENCES users, time INTEGER NOT NULL, item TEXT NOT NULL, nth INTEGER NOT NULL,
        label INTEGER NOT NULL, split INTEGER NOT NULL, client INTEGER REFERENCES groups, truth REAL,
        PRIMARY KEY (user, time, item, nth)) WITHOUT ROWID""",
    """CREATE TABLE tombstones (
        id TEXT PRIMARY KEY, request TEXT NOT NULL, kind TEXT NOT NULL, digest BLOB, since INTEGER, until INTEGER,
        made INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE erasures (
        number INTEGER PRIMARY KEY, request TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL, made INTEGER NOT NULL,
        head TEXT NOT NULL)""",
    """CREATE TABLE allowed (
        run TEXT NOT NULL, shard INTEGER NOT NULL, adapter TEXT NOT NULL,
        PRIMARY KEY (run, shard, adapter)) WITHOUT ROWID""",
    """CREATE TABLE uses (
        run TEXT NOT NULL, shard INTEGER NOT NULL, round INTEGER NOT NULL, rows INTEGER NOT NULL, digest BLOB,
        PRIMARY KEY (run, shard, round)) WITHOUT ROWID""",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
PRAGMAS: tuple[str, ...] = (
    "PRAGMA synchronous = FULL",  # what is committed is on the disk
    "PRAGMA secure_delete = ON",  # deleted content is overwritten with zeros
    "PRAGMA temp_store = MEMORY",  # VACUUM and sorting leave no copy in a temporary file
)
MENDS = {
    "SQLITE_NOTADB": "not a vault (no SQLite database): name another file",
    "SQLITE_BUSY": "in use by another process: try again when that has ended",
    "SQLITE_READONLY": "cannot be written: give yourself write permission for the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened: give yourself write permission for the file and its folder",
    "SQLITE_FULL": "the disk is full: make room and repeat the command; nothing was half done",
    "SQLITE_IOERR": "the disk refuses: make room on it, or mend it, and repeat the command; nothing was half done",
    "SQLITE_CORRUPT": "damaged: move it away and restore a backup beside its key file",
}


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of the vault, whatever others write meanwhile.

    Raises:
        FedrecError: there is no vault, it is of another version, or it cannot be opened.
    """
    with _opened(path) as db:
        db.execute("BEGIN")
        check_schema(db, path)
        yield db


@contextmanager
def writing(path: Path, attached: Path | None = None) -> Iterator[sqlite3.Connection]:
    """One transaction: everything in it happens, or nothing; others who write wait.

    Args:
        attached: a backup, to be read as the schema `backup`.

    Raises:
        FedrecError: as `reading`.
    """
    with _opened(path) as db:
        if attached is not None:
            db.execute("ATTACH ? AS backup", (f"{attached.resolve().as_uri()}?mode=ro&immutable=1",))
        db.execute("BEGIN IMMEDIATE")
        check_schema(db, path)
        yield db
        db.execute("COMMIT")


def create(path: Path, key_check: Callable[[], str]) -> None:
    """A new, empty vault; where there is one, nothing changes.

    Args:
        key_check: makes the key and gives its check value; called while no other process can create this vault.

    Raises:
        UsageError: nothing can be written there.
        FedrecError: something else than a vault is there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with _opened(path) as db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                for table in TABLES:
                    db.execute(table)
                set_meta(db, "schema", VERSION)
                set_meta(db, "key", key_check())
            check_schema(db, path)
            db.execute("COMMIT")
            db.execute("PRAGMA journal_mode = WAL")
    except OSError as error:
        raise UsageError(f"{path}: no vault can be made there ({error.strerror}); choose another path") from None


def check_schema(db: sqlite3.Connection, path: Path, schema: str = "main") -> None:
    """
    Raises:
        FedrecError: the database is not a vault, or one of another version.
    """
    if not db.execute(f"SELECT 1 FROM {schema}.sqlite_master WHERE name = 'tombstones'").fetchone():
        raise FedrecError(f"{path}: not a vault (a database of something else): name another file")
    version = meta(db, "schema", schema)
    if version != VERSION:
        raise FedrecError(f"{path}: a vault of version {version}, this fedrec reads {VERSION}: use the other fedrec")


def meta(db: sqlite3.Connection, name: str, schema: str = "main") -> str | None:
    found = db.execute(f"SELECT value FROM {schema}.meta WHERE name = ?", (name,)).fetchone()
    return found[0] if found else None


def set_meta(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def scrub(path: Path) -> None:
    """Write the file anew without its free space, and empty the write-ahead log: what was deleted is in neither.

    The blocks that the files held before are the file system's: encrypt the disk.

    Raises:
        FedrecError: someone kept reading an old state for longer than `WAIT`.
    """
    with _opened(path) as db:
        db.execute("VACUUM")
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise FedrecError(f"{path}: done, but a reader still holds the old state: end it and repeat the command")


def copy(path: Path, target: Path) -> None:
    """Write the vault as it is now into an empty file."""
    with _opened(path) as db:
        check_schema(db, path)
        db.execute("VACUUM INTO ?", (str(target),))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one piece of work; what is not committed at its end is undone. SQLite's errors in one line."""
    if not path.is_file():
        raise FedrecError(f"{path}: no vault there; {command('vault import --data FILE', path.parent)} makes one")
    try:
        with closing(connect(path)) as db:
            yield db
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        mend = next((text for code, text in MENDS.items() if name.startswith(code)), f"{error}; restore a backup")
        raise FedrecError(f"{path}: {mend}") from None


def connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=WAIT, isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(pragma)
    return db
