"""Item rows as they travel: those that are not zero, and which items they are of.

A row is zero until somebody has learnt of its item: what is sent grows with what is met, not with the catalogue.
Whoever reads a message knows how many items there are, and makes it whole again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import ITEMS_A, State, to_arrays

ROWS = "items.rows"
"""Beside `items.A` (m, r): (m,) int32, which items its rows are of, rising."""


def to_wire(model: Sequence[State]) -> dict[str, NDArray[np.float32]]:
    """Named arrays of a model of S shards, without item rows that are zero."""
    return to_arrays([sparse(state) for state in model])


def sparse(state: State) -> State:
    """An adapter with the item rows that are not zero; one that is that already stays as it is."""
    if ITEMS_A not in state or ROWS in state:
        return state
    every = np.ascontiguousarray(state[ITEMS_A])
    rows = np.flatnonzero(every.view(np.int32).any(1)).astype(np.int32)  # a negative zero is none: hashes would differ
    return {**state, ITEMS_A: every[rows], ROWS: cast(NDArray[Any], rows)}


def whole(state: Mapping[str, NDArray[Any]], shape: tuple[int, ...]) -> State:
    """The adapter of `sparse`, with a row for each item.

    Args:
        state: untrusted; what else is in it is for the caller to see.
        shape: (items, r) of `items.A`; whatever a message says, no more than that is made.

    Raises:
        ValueError: one line: its rows are not such.
    """
    if ROWS not in state:
        return dict(state)
    rows, found = state[ROWS], state.get(ITEMS_A)
    if rows.dtype != np.int32 or rows.ndim != 1:
        raise ValueError(f"tensor {ROWS} is {rows.dtype.str} {rows.shape}, not a list of int32")
    if found is None or found.ndim != 2 or len(found) != len(rows):
        raise ValueError(f"tensor {ROWS} names {len(rows)} items, and {ITEMS_A} does not have as many rows")
    items, *width = shape
    if found.dtype != np.float32 or found.shape[1:] != tuple(width):
        raise ValueError(f"tensor {ITEMS_A} is {found.dtype.str} {found.shape}, not float32 {(len(rows), *width)}")
    if len(rows) and (rows[0] < 0 or rows[-1] >= items or (np.diff(rows.astype(np.int64)) <= 0).any()):
        raise ValueError(f"tensor {ROWS} does not name items of {items}, each once and in order")
    every = np.zeros(shape, np.float32)
    every[rows] = found
    return {key: array for key, array in state.items() if key != ROWS} | {ITEMS_A: every}
