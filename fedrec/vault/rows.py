"""Rows of a vault: from `Interactions` into its tables and back, and the hash of what they say."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.union import united
from fedrec.errors import FedrecError

Named = tuple[str, str, int, int, int, str]
"""User id, item id, time, label, split, and the client's name or nothing."""


def occurrences(rows: Interactions) -> NDArray[np.int64]:
    """(n,) how many rows of the same user, time and item stand before each row."""
    place = np.arange(len(rows))
    again = np.zeros(len(rows), bool)
    again[1:] = (np.diff(rows.user) == 0) & (np.diff(rows.time) == 0) & (np.diff(rows.item) == 0)
    return place - np.maximum.accumulate(np.where(again, 0, place))


def named(rows: Interactions, catalogue: Catalogue) -> Iterator[Named]:
    """Each row in words that do not depend on the order of users, items or clients."""
    client = [""] * len(rows) if rows.client is None else [rows.client_ids[index] for index in rows.client.tolist()]
    columns = (rows.user, rows.item, rows.time, rows.label, rows.split)
    for user, item, time, label, split, group in zip(*(c.tolist() for c in columns), client, strict=True):
        yield rows.user_ids[user], catalogue.ids[item], time, label, split, group


def content_hash(rows: Iterable[Named]) -> str:
    """SHA-256 of the sorted rows, a line of JSON each: equal for equal data sets, in whatever order they came."""
    digest = hashlib.sha256()
    for row in sorted(rows):
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def to_interactions(
    records: Sequence[tuple[Any, ...]],
    users: Sequence[tuple[int, str]],
    groups: Sequence[tuple[int, str]],
    catalogue: Catalogue,
) -> Interactions:
    """Interactions from records (user, item, label, time, split, client, truth, nth) and (number, name) of the rest.

    Clients and truths are there if every row has one.

    Raises:
        FedrecError: an item is not in the catalogue.
    """
    user, item, label, time, split, client, truth, nth = zip(*records, strict=True) if records else ((),) * 8
    try:
        items = [catalogue.place[name] for name in item]
    except KeyError as error:
        raise FedrecError(
            f"item {error} of the vault is not in the catalogue: use the one it was imported with"
        ) from None
    grouped = bool(groups) and None not in client
    return Interactions(
        user=_places(user, users),
        item=np.array(items, np.int32),
        label=np.array(label, np.int8),
        time=np.array(time, np.int64),
        split=np.array(split, np.int8),
        user_ids=tuple(name for _, name in users),
        client=_places(client, groups) if grouped else None,
        client_ids=tuple(name for _, name in groups) if grouped else (),
        truth=np.array(truth, np.float64) if records and None not in truth else None,
        ties=(np.array(nth, np.int64),),
    )


def _places(numbers: Sequence[int], of: Sequence[tuple[int, str]]) -> NDArray[np.int32]:
    """The place in `of` of each number; `of` is sorted by number."""
    known = np.array([number for number, _ in of], np.int64)
    return np.searchsorted(known, np.array(numbers, np.int64)).astype(np.int32)


def insert(db: sqlite3.Connection, rows: Interactions, catalogue: Catalogue, nth: NDArray[np.int64]) -> int:
    """Add the rows that are not there yet, and the titles of their items.

    Args:
        nth: (n,) as `occurrences` counts, of the rows before any was left out.

    Returns:
        How many were added.
    """
    insert_titles(db, catalogue, np.unique(rows.item).tolist(), listed=False)
    names = {"users": [rows.user_ids[user] for user in np.unique(rows.user).tolist()], "groups": rows.client_ids}
    for table, known in names.items():
        db.executemany(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", ((name,) for name in known))
    truth = [None] * len(rows) if rows.truth is None else rows.truth.tolist()
    added = db.executemany(
        """INSERT OR IGNORE INTO rows VALUES ((SELECT id FROM users WHERE name = ?1), ?3, ?2, ?7, ?4, ?5,
            (SELECT id FROM groups WHERE name = ?6), ?8)""",
        ((*row, *rest) for row, *rest in zip(named(rows, catalogue), nth.tolist(), truth, strict=True)),
    )
    return max(added.rowcount, 0)  # -1 where there was nothing to insert


def titles_in(db: sqlite3.Connection) -> Catalogue:
    """All titles that were kept, by the natural order of their items' ids."""
    return united(Catalogue((item,), (title,)) for item, title in db.execute("SELECT id, title FROM items"))


def insert_titles(db: sqlite3.Connection, catalogue: Catalogue, items: Iterable[int], listed: bool) -> None:
    """Keep the titles of some items; of several of one item the first in the alphabet.

    Args:
        listed: whether a public list has them, so that they stay when nobody has a row of theirs.
    """
    db.executemany(
        """INSERT INTO items VALUES (?1, ?2, ?3)
            ON CONFLICT (id) DO UPDATE SET title = min(title, ?2), listed = max(listed, ?3)""",
        ((catalogue.ids[item], catalogue.titles[item], listed) for item in items),
    )
