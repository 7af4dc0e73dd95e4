"""What must not come back, without saying whom it names: HMAC-SHA256(key, [kind, *subject]) and a range of times.

A row is refused by a tombstone if the tombstone's digest is that of the row's own subject of the same kind

    user (user)   item (item)   user-item (user, item)   row (user, item, time)   any ()

and the row's time lies between `since` and `until`, both included, where they are given.
"""

from __future__ import annotations

import hmac
import json
import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from fedrec.data.selection import Selection


@dataclass(frozen=True)
class Tombstone:
    """Equal to another if it refuses the same rows; the id is its own."""

    kind: str
    digest: bytes
    since: int | None = None
    until: int | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)


def tombstones_of(selection: Selection, key: bytes) -> list[Tombstone]:
    """The tombstones that together refuse exactly what is selected.

    Raises:
        UsageError: see `Selection.check_conditions`.
    """
    selection.check_conditions()
    kind, subjects = _subjects(selection.users, selection.items, selection.rows)
    return [
        Tombstone(kind, _digest(key, kind, *subject), selection.since, selection.until)
        for subject in dict.fromkeys(subjects)
    ]


def _subjects(
    users: tuple[str, ...], items: tuple[str, ...], rows: tuple[str, ...]
) -> tuple[str, list[tuple[str, ...]]]:
    if rows:
        return "row", [(row,) for row in rows]
    if users and items:
        return "user-item", [(user, item) for user in users for item in items]
    if users:
        return "user", [(user,) for user in users]
    if items:
        return "item", [(item,) for item in items]
    return "any", [()]


class Refusal:
    """Which of the tombstones refuses a row."""

    def __init__(self, key: bytes, tombstones: Iterable[Tombstone]) -> None:
        self._key = key
        self._cached = lru_cache(1 << 16)(lambda *subject: _digest(key, *subject))
        self._of: dict[str, dict[bytes, list[tuple[float, float, str]]]] = {}
        for stone in tombstones:
            since = -math.inf if stone.since is None else stone.since
            until = math.inf if stone.until is None else stone.until
            self._of.setdefault(stone.kind, {}).setdefault(stone.digest, []).append((since, until, stone.id))

    def by(self, user: str, item: str, time: int) -> str | None:
        """The id of a tombstone that refuses the row; none if it may come in."""
        for kind, stones in self._of.items():
            for since, until, stone in stones.get(self._digest_of(kind, user, item, time), ()):
                if since <= time <= until:
                    return stone
        return None

    def _digest_of(self, kind: str, user: str, item: str, time: int) -> bytes:
        match kind:
            case "user":
                return self._cached(kind, user)
            case "item":
                return self._cached(kind, item)
            case "user-item":
                return self._cached(kind, user, item)
            case "row":  # never twice the same, so nothing to keep; the key is that of `selection.row_keys`
                return _digest(self._key, kind, f"{user}\t{item}\t{time}")
            case _:
                return self._cached(kind)


def _digest(key: bytes, *subject: str) -> bytes:
    return hmac.digest(key, json.dumps(subject).encode(), "sha256")
