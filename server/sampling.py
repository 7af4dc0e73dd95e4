"""Who is asked in a round, and how many good replies the round waits for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable


def wanted(clients: int, fraction: float) -> int:
    """How many of `clients` take part: the fraction of them, halves rounded up, and at least one."""
    return max(1, math.floor(clients * fraction + 0.5))


def needed(asked: int, wanted: int, min_replies: int) -> int:
    """The number of good replies after which a round need not wait for the others.

    `min_replies` = 0 waits for as many as the fraction wants; k > 0 for k of those asked (k-of-n). Clients asked beyond
    that, by over-sampling, are there so that slow or broken ones hold nobody up.
    """
    return min(min_replies or wanted, asked)


def choose(
    names: Iterable[str], fraction: float, oversample: int, seed: int, round: int, min_replies: int = 0
) -> tuple[list[str], int]:
    """The names to ask in a round, sorted, and how many good replies it waits for.

    The draw is uniform and depends on nothing but (seed, round, the set of names): the names with the lowest hashes are
    drawn, which also holds over versions of numpy and leaves the others' rank alone when a client joins or goes.

    Raises:
        ValueError: there are no names.
    """
    pool = sorted(set(names), key=lambda name: _rank(name, seed, round))
    if not pool:
        raise ValueError("no clients to choose from")
    target = wanted(len(pool), fraction)
    asked = sorted(pool[: target + oversample])
    return asked, needed(len(asked), target, min_replies)


def _rank(name: str, seed: int, round: int) -> bytes:
    return hashlib.sha256(f"{seed}/{round}/{name}".encode()).digest()
