"""The statements by which rows leave a vault, and by which they stay away."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.vault import chain
from fedrec.vault.chain import Link
from fedrec.vault.tombstones import Refusal, Tombstone

ROW = "(SELECT name FROM {0}.users WHERE id = user), item, time"  # a row of that schema as `Refusal.by` takes it


def set_tombstones(
    db: sqlite3.Connection, request: str, tombstones: Iterable[Tombstone], rows: int, lasting: bool
) -> None:
    """Note what a request erased.

    Args:
        rows: how many rows it deleted.
        lasting: whether the tombstones' key will be there to check by; if not, their digests are left out.
    """
    stones = list(tombstones)
    chain.append(db, request, rows, stones if lasting else ())
    write_tombstones(db, request, stones, lasting)


def write_tombstones(db: sqlite3.Connection, request: str, tombstones: Iterable[Tombstone], lasting: bool) -> None:
    """Those of a request are these from now on."""
    made = int(time.time())
    db.execute("DELETE FROM tombstones WHERE request = ?", (request,))
    db.executemany(
        "INSERT INTO tombstones VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        ((t.id, request, t.kind, t.digest if lasting else None, t.since, t.until, made) for t in tombstones),
    )


def repeat(db: sqlite3.Connection, key: bytes | None, links: Sequence[Link], vault: Path) -> int:
    """Erase again what is missing of these links, and set those of their tombstones again that were altered.

    Args:
        links: the first of the chain; then nothing of it is missing, and what follows them is as it was.

    Returns:
        Rows deleted.

    Raises:
        FedrecError: as `Vault.repeat`.
    """
    asked = [link.request for link in links]
    there = {request for (request,) in db.execute("SELECT request FROM erasures")}
    altered = set(chain.broken(db) if key is not None else ())
    missing = [link for link in links if link.request not in there - altered]
    if missing:
        db.execute("DELETE FROM allowed")
    rows = 0
    for link in missing:
        if key is None or not link.sealed:
            raise FedrecError(f"{vault}: it is older than its key's end; put the newest vault.db back")
        stones = chain.unseal(key, link)
        rows += (gone := delete_rows(db, Refusal(key, stones)))
        if link.request in there:
            write_tombstones(db, link.request, stones, lasting=True)
        else:
            set_tombstones(db, link.request, stones, gone, lasting=True)
    if own := sorted(altered.difference(asked)):
        raise FedrecError(f"{vault}: tombstones of its own erasure {own[0]} were removed or altered; put vault.db back")
    if missing or (links and chain.head_at(db, links[-1].number) != links[-1].head):
        chain.rebuild(db, asked)
    if links and chain.head_at(db, links[-1].number) != links[-1].head:
        raise FedrecError(f"{vault}: its erasures are not those asked for; put its vault.db back")
    return rows


def count_refused(db: sqlite3.Connection, rows: Iterable[tuple[str, int]]) -> None:
    """Add to the number of rows that each tombstone refused."""
    db.executemany("UPDATE tombstones SET refused = refused + ?2 WHERE id = ?1", rows)


def delete_rows(db: sqlite3.Connection, refusal: Refusal) -> int:
    """Delete the refused rows, and the users, clients and titles that have none left; how many rows."""
    db.create_function("refused_by", 3, refusal.by, deterministic=True)
    gone = db.execute(f"DELETE FROM rows WHERE refused_by({ROW.format('main')}) NOT NULL").rowcount
    db.execute("DELETE FROM users WHERE id NOT IN (SELECT user FROM rows)")
    db.execute("DELETE FROM groups WHERE id NOT IN (SELECT client FROM rows WHERE client NOT NULL)")
    db.execute("DELETE FROM items WHERE NOT listed AND id NOT IN (SELECT item FROM rows)")
    return gone


def merge_tombstones(db: sqlite3.Connection) -> None:
    """Take over what the attached `backup` knows of erasures and uses and the vault does not, or no longer."""
    for request in chain.broken(db):
        known = "request IN (SELECT request FROM backup.erasures)"
        db.execute(f"DELETE FROM main.tombstones WHERE request = ? AND {known}", (request,))
    for table in ("tombstones", "uses"):
        db.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM backup.{table}")
    new = "request NOT IN (SELECT request FROM erasures) ORDER BY number"
    for request, rows in db.execute(f"SELECT request, rows FROM backup.erasures WHERE {new}").fetchall():
        chain.append(db, request, rows, chain.tombstones_in(db, request))


def replace_rows(db: sqlite3.Connection, refusal: Refusal) -> tuple[int, int]:
    """Exchange the rows for those of the attached `backup` that are not refused; the numbers of rows taken and refused.

    A refused row is never written.
    """
    refused: Counter[str] = Counter()

    def may_come(user: str, item: str, time: int) -> bool:
        stone = refusal.by(user, item, time)
        if stone is not None:
            refused[stone] += 1
        return stone is None

    db.create_function("may_come", 3, may_come)  # not "deterministic": SQLite calls it once a row
    for table in ("rows", "users", "groups"):
        db.execute(f"DELETE FROM main.{table}")
    taken = db.execute(f"INSERT INTO rows SELECT * FROM backup.rows WHERE may_come({ROW.format('backup')})").rowcount
    db.execute("INSERT INTO users SELECT * FROM backup.users WHERE id IN (SELECT user FROM main.rows)")
    db.execute("INSERT INTO groups SELECT * FROM backup.groups WHERE id IN (SELECT client FROM main.rows)")
    db.execute("DELETE FROM main.items WHERE NOT listed")
    titles = "SELECT * FROM backup.items WHERE listed OR id IN (SELECT item FROM main.rows)"
    db.execute(f"INSERT OR IGNORE INTO main.items {titles}")
    count_refused(db, refused.items())
    return taken, refused.total()
