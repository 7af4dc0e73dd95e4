"""The chain of a vault's erasures. A vault that is put back as it was before is known by the links that it lacks.

    head_n = SHA-256([n, head_(n-1), request_n, its tombstones]),   head_0 = 64 zeros

So the tombstones that are there are held against it as well (`broken`). Whoever asks for erasures remembers the number
and the head of each client's last one (`server.integrity.replay`), and keeps the links with their tombstones sealed,
to send them again; without the vault's key nobody can read or test them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fedrec import sealing
from fedrec.errors import FedrecError
from fedrec.vault.tombstones import Tombstone

ORIGIN = "0" * 64


@dataclass(frozen=True)
class Link:
    """One erasure: its number (from 1), request, and head; and its tombstones, which only the vault's key opens.

    Attributes:
        sealed: empty where the key is destroyed.
    """

    number: int
    request: str
    head: str
    sealed: bytes = b""


def is_head(text: str) -> bool:
    """Whether it is written as a head is."""
    return len(text) == len(ORIGIN) and set(text) <= set("0123456789abcdef")


def append(db: sqlite3.Connection, request: str, rows: int, tombstones: Iterable[Tombstone]) -> str:
    """Note what a request erased as the last link; its head."""
    number, previous = last(db)
    head = _head(number + 1, previous, request, tombstones)
    db.execute("INSERT INTO erasures VALUES (?, ?, ?, ?, ?)", (number + 1, request, rows, int(time.time()), head))
    return head


def tombstones_in(db: sqlite3.Connection, request: str | None = None, schema: str = "main") -> list[Tombstone]:
    """Those of a request, or all."""
    columns = "kind, coalesce(CAST(digest AS BLOB), x''), since, until, id"
    found = db.execute(f"SELECT {columns} FROM {schema}.tombstones WHERE request = coalesce(?, request)", (request,))
    return [Tombstone(*columns) for columns in found]


def broken(db: sqlite3.Connection, schema: str = "main") -> list[str]:
    """The requests whose link is not of the tombstones that are there: some were removed, altered or added."""
    found, previous = [], ORIGIN
    links = db.execute(f"SELECT number, request, head FROM {schema}.erasures ORDER BY number").fetchall()
    for number, request, head in links:
        if _head(number, previous, request, tombstones_in(db, request, schema)) != head:
            found.append(request)
        previous = head
    strays = f"""SELECT DISTINCT request FROM {schema}.tombstones
        WHERE request NOT IN (SELECT request FROM {schema}.erasures)"""
    return found + [request for (request,) in db.execute(strays)]


def last(db: sqlite3.Connection) -> tuple[int, str]:
    """Number and head of the last link."""
    found = db.execute("SELECT number, head FROM erasures ORDER BY number DESC LIMIT 1").fetchone()
    return found or (0, ORIGIN)


def head_at(db: sqlite3.Connection, number: int) -> str | None:
    """The head after so many erasures; None where there were fewer."""
    found = db.execute("SELECT head FROM erasures WHERE number = ?", (number,)).fetchone()
    return ORIGIN if number == 0 else found[0] if found else None


def rebuild(db: sqlite3.Connection, first: Sequence[str]) -> None:
    """Put the links of some requests first, in that order, and the others after them in theirs."""
    rows = dict(db.execute("SELECT request, rows FROM erasures ORDER BY number").fetchall())
    db.execute("DELETE FROM erasures")
    for request in (*first, *(request for request in rows if request not in set(first))):
        append(db, request, rows[request], tombstones_in(db, request))


def seal(key: bytes, request: str, tombstones: Iterable[Tombstone]) -> bytes:
    """Tombstones for whoever keeps them for this vault."""
    content = [(t.kind, t.digest.hex(), t.since, t.until, t.id) for t in tombstones]
    return sealing.seal(_own(key), request, json.dumps(content).encode())


def unseal(key: bytes, link: Link) -> list[Tombstone]:
    """
    Raises:
        FedrecError: they were sealed by another vault, or altered.
    """
    try:
        content = sealing.unseal(_own(key), link.request, link.sealed)
    except ValueError:
        raise FedrecError(
            f"request {link.request}: it was erased from another vault than this one; put that vault and its key back"
        ) from None
    return [Tombstone(kind, bytes.fromhex(digest), *rest) for kind, digest, *rest in json.loads(content)]


def _head(number: int, previous: str, request: str, tombstones: Iterable[Tombstone]) -> str:
    stones = sorted(json.dumps([t.kind, bytes(t.digest).hex(), t.since, t.until]) for t in tombstones)
    return hashlib.sha256(json.dumps([number, previous, request, stones]).encode()).hexdigest()


def _own(key: bytes) -> bytes:
    return hmac.digest(key, b"sealed tombstones", hashlib.sha256)
