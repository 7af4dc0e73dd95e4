"""Item rows, the same in memory, in files and in messages: those that are not zero, and which items they are of.

    items.A (m, r) float32     items.rows (m,) int32, rising     items.B (r, d) float32

A row is zero until somebody has learnt of its item: what an adapter costs grows with what is met, not with the
catalogue. No row that it has is zero, so that one adapter has one form and one hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import ANSWERS, ITEMS_A, ROWS, State

AnyNumber = TypeVar("AnyNumber", np.float32, np.int32)
Items = NDArray[np.int32]
"""(m,) numbers of items, rising."""
ItemAnswers = tuple[Items, NDArray[np.int32]]
"""Some items, and how many answers are about each."""


def items_of(state: State) -> Items:
    """The items that an adapter has rows of."""
    return cast(Items, state[ROWS])


def with_rows(state: State, items: Items, rows: NDArray[np.float32]) -> State:
    """An adapter whose item rows are these (m, r), of these items; zeros are left out."""
    learnt = rows.any(1)
    if not learnt.all():
        items, rows = items[learnt], rows[learnt]
    return {**state, ITEMS_A: rows, ROWS: items.astype(np.int32, copy=False)}


def with_some(state: State, items: Items, rows: NDArray[np.float32]) -> State:
    """An adapter whose rows of these items are those (m, r); of others they are as they were."""
    own = items_of(state)
    others = ~np.isin(own, items)
    every, found = np.concatenate([own[others], items]), np.concatenate([state[ITEMS_A][others], rows])
    order = every.argsort()
    return with_rows(state, every[order], found[order])


def rows_of(state: State, items: Items) -> NDArray[np.float32]:
    """(m, r) an adapter's rows of these items, zero where it has none."""
    return told_of(items, items_of(state), state[ITEMS_A])


def with_answers(state: State, answers: ItemAnswers) -> State:
    """An adapter with how many answers of whoever sends it each of its item rows was learnt from."""
    return {**state, ANSWERS: cast(NDArray[np.float32], counted(answers, items_of(state)))}


def counted(answers: ItemAnswers, items: Items) -> NDArray[np.int32]:
    """(m,) how many answers are about each of these items."""
    return told_of(items, *answers)


def told_of(items: Items, known: Items, values: NDArray[AnyNumber]) -> NDArray[AnyNumber]:
    """(m, ...) of each item what is told of it in values (k, ...) of known items; zero of others."""
    found = np.zeros((len(items), *values.shape[1:]), values.dtype)
    if len(items):
        low, high = np.searchsorted(known, (items[0], items[-1] + 1))
        place = np.searchsorted(items, known[low:high])
        there = items[place] == known[low:high]
        found[place[there]] = values[low:high][there]
    return found


def without_answers(state: State) -> tuple[State, ItemAnswers | None]:
    """The adapter of `with_answers`, and what it was given; None where there is nothing."""
    bare, found = parted(state, ANSWERS)
    return bare, None if found is None else (items_of(state), cast(NDArray[np.int32], found))


def parted(state: State, beside: str) -> tuple[State, NDArray[np.float32] | None]:
    """An adapter without what stands beside it, and that."""
    return {key: array for key, array in state.items() if key != beside}, state.get(beside)


def union(states: Iterable[State]) -> Items:
    """The items that any of the adapters has a row of."""
    found = [items for state in states if len(items := items_of(state))]
    there = np.zeros(max((int(items[-1]) + 1 for items in found), default=0), bool)
    for items in found:
        there[items] = True
    return np.flatnonzero(there).astype(np.int32)


def check(state: Mapping[str, NDArray[Any]], items: int, rank: int) -> None:
    """Whether the item rows of an adapter, if it has such, are in this form: of so many items, of this rank.

    Args:
        state: untrusted; what else is in it is for the caller to see.

    Raises:
        ValueError: one line: they are not.
    """
    if not {ROWS, ITEMS_A, ANSWERS} & state.keys():
        return
    named, rows = state.get(ROWS), state.get(ITEMS_A)
    if named is None:
        raise ValueError(f"tensor {ROWS} is missing")
    if named.dtype != np.int32 or named.ndim != 1:
        raise ValueError(f"tensor {ROWS} is {named.dtype.str} {named.shape}, not a list of int32")
    if rows is None or rows.ndim != 2 or len(rows) != len(named):
        raise ValueError(f"tensor {ROWS} names {len(named)} items, and {ITEMS_A} does not have as many rows")
    if rows.dtype != np.float32 or rows.shape[1] != rank:
        raise ValueError(f"tensor {ITEMS_A} is {rows.dtype.str} {rows.shape}, not float32 {(len(named), rank)}")
    answers = state.get(ANSWERS, np.zeros(len(named), np.int32))
    if answers.dtype != np.int32 or answers.shape != named.shape or (answers < 0).any():
        raise ValueError(f"tensor {ANSWERS} is no list of counts, one for each of the {len(named)} item rows")
    if len(named) and (named[0] < 0 or named[-1] >= items or (np.diff(named.astype(np.int64)) <= 0).any()):
        raise ValueError(f"tensor {ROWS} does not name items of {items}, each once and in order")
    if not rows.any(1).all():
        raise ValueError(f"tensor {ITEMS_A} has a row of zeros: of such an item there is none")
