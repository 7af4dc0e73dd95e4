"""The numbers of several adapters side by side: of item rows those that any of them has, and only so many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import ITEMS_A, KNOWN, ROWS, State
from fedrec.protocol.item_rows import Items, rows_of, union

_NUMBERS = 5_000_000  # of item rows at once


def columns(states: Sequence[State]) -> Iterator[NDArray[np.float32]]:
    """All numbers of n states as matrices (n, ·): first those of sorted keys that are no item rows, then item rows."""
    keys = sorted(states[0].keys() - {ITEMS_A, ROWS, KNOWN})
    yield np.stack([np.concatenate([state[key].ravel() for key in keys]) for state in states])
    for items in in_parts(states):
        yield np.stack([rows_of(state, items).ravel() for state in states])


def in_parts(states: Sequence[State]) -> Iterator[Items]:
    """The items that any of n states has rows of, as many at once as the rows of all states fit."""
    if ITEMS_A in states[0]:
        items, step = union(states), max(1, _NUMBERS // len(states) // states[0][ITEMS_A].shape[1])
        yield from (items[low : low + step] for low in range(0, len(items), step))


def distance(one: State, other: State) -> float:
    """Euclidean, over all numbers."""
    return float(np.sqrt(sum(np.square(a.astype(np.float64) - b).sum() for a, b in columns([one, other]))))
