"""Which shard a user belongs to: a keyed hash of the user's id, so nobody else's coming or going moves them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Interactions

if TYPE_CHECKING:
    from fedrec.config import RunConfig

_PARTS = 10_000


def by_hash(user_ids: Sequence[str], shards: int, key: str) -> NDArray[np.int32]:
    """(users,) shard of each user, by HMAC-SHA256 of the id under `key`."""
    return np.array([_digest(user, key) % shards for user in user_ids], dtype=np.int32)


def numbered(user_ids: Sequence[str], key: str = "number") -> NDArray[np.int64]:
    """(users,) a number of 63 bits for each user, the same wherever their rows are; whoever knows an id can tell it."""
    return np.array([_digest(user, key) >> 1 for user in user_ids], dtype=np.int64)


def _digest(user: str, key: str) -> int:
    return int.from_bytes(hmac.digest(key.encode(), user.encode(), hashlib.sha256)[:8], "big")


def mark_of(key: bytes, user: str) -> str:
    """By which whoever has the id knows it again: HMAC-SHA256 in hexadecimal digits."""
    return hmac.digest(key, user.encode(), hashlib.sha256).hex()


def shard_of(user_ids: Sequence[str], config: RunConfig) -> NDArray[np.int32]:
    """(users,) shard of each user in a run: nobody moves when somebody goes."""
    return by_hash(user_ids, config.shards, str(config.seed))


def drawn(rows: Interactions, part: float, seed: int, purpose: str = "validation") -> NDArray[np.bool_]:
    """(n,) the rows of about a part of the users, each drawn by a keyed hash of their own, anew for each purpose."""
    chosen = by_hash(rows.user_ids, _PARTS, f"{purpose} {seed}") < part * _PARTS
    return np.asarray(chosen[rows.user], bool)
