"""Averages of adapter states: theta = sum_j w_j theta_j, tensor by tensor, A and B apart.

An item's learnt row is averaged over those who have met the item, where it is told who has: a row that one of five
learnt is not a fifth of itself then.

Sums run in float64 in the order given and are rounded to float32 once at the end. Hand the states over in a fixed order
of the clients (by name, not by arrival), and the result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import ITEMS_A, ROWS, State
from fedrec.protocol.item_rows import Items, rows_of, union, with_rows

Met = Sequence[Items | None]
"""Of each state, the items whose rows it has learnt; None where rows are averaged like everything else."""


def weighted_sum(states: Sequence[State], weights: NDArray[np.float64], met: Met = ()) -> State:
    """sum_j weights[j] * states[j], as new arrays.

    Args:
        states: n >= 1 states with the same keys and shapes, but for their item rows.
        weights: (n,); with weights >= 0 that sum to 1, equal states give that same state bit for bit, and every value
            lies between the smallest and the largest of its n sources.
        met: of an item that any has met, the weights of those alone count, made to sum to the same.
    """
    keys = [key for key in states[0] if key not in (ITEMS_A, ROWS)]
    total: State = {key: _sum((state[key] for state in states), weights) for key in keys}
    if ITEMS_A not in states[0]:
        return total
    items = union(states)
    here = those_who_met(met, items)
    shares = weights if here is None else _of_those_who_met(weights, here)
    return with_rows(total, items, _sum((rows_of(state, items) for state in states), shares))


def those_who_met(met: Met, items: Items) -> NDArray[np.bool_] | None:
    """(n, m) who has met which of some items; None where rows are averaged like everything else."""
    known = [np.isin(items, each) for each in met if each is not None]
    return np.stack(known) if known else None


def _sum(values: Iterable[NDArray[np.float32]], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of arrays of one shape, each by its weight, which may be one for each of its rows."""
    total: NDArray[np.float64] | None = None
    for value, weight in zip(values, weights, strict=True):
        term = weight * value.astype(np.float64)
        if total is None:
            total = term  # the first term starts the sum: 0.0 + -0.0 would lose the sign of a zero
        else:
            total += term
    assert total is not None
    return total.astype(np.float32)


def _of_those_who_met(weights: NDArray[np.float64], met: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, items, 1) the weights of each item's row, of which (n, items) are met."""
    of_row = weights[:, None] * met
    sums = of_row.sum(0)
    of_row = np.where(sums > 0, of_row * (weights.sum() / np.where(sums > 0, sums, 1)), weights[:, None])
    return np.asarray(of_row[..., None])


def weighted_mean(states: Sequence[State], examples: Sequence[int], met: Met = ()) -> State:
    """Mean of n >= 1 states weighted by their numbers of examples (McMahan et al. 2017, algorithm 1).

    Where nobody has an example the mean is plain: all those states are the unchanged model.
    """
    counts = np.asarray(examples, np.float64)
    if not counts.any():
        counts = np.ones(len(states))
    return weighted_sum(states, counts / counts.sum(), met)
