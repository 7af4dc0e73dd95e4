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
from itertools import product

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
    of = {"row": selection.rows} if selection.rows else {"user": selection.users, "item": selection.items}
    named = {word: ids for word, ids in of.items() if ids}
    kind = "-".join(named) or "any"
    digests = [_digest(key, kind, *subject) for subject in dict.fromkeys(product(*named.values()))]
    return [Tombstone(kind, digest, selection.since, selection.until) for digest in digests]


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
        subjects = {"user": (user,), "item": (item,), "user-item": (user, item), "any": ()}
        for kind, stones in self._of.items():
            if kind == "row":  # never twice the same, so nothing to keep; the key is that of `selection.row_keys`
                digest = _digest(self._key, kind, f"{user}\t{item}\t{time}")
            else:
                digest = self._cached(kind, *subjects[kind])
            for since, until, stone in stones.get(digest, ()):
                if since <= time <= until:
                    return stone
        return None


def _digest(key: bytes, *subject: str) -> bytes:
    return hmac.digest(key, json.dumps(subject).encode(), "sha256")
