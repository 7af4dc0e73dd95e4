"""Averages of adapter states: theta = sum_j w_j theta_j, tensor by tensor, A and B apart.

An item's learnt row counts as much as is known of it, where that is told: clients who have met an item ten times say
more of it than those who have met it once, or never.

Sums run in float64 in the order given and are rounded to float32 once at the end. Hand the states over in a fixed order
of the clients (by name, not by arrival), and the result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import ITEMS_A, KNOWN, ROWS, State
from fedrec.protocol.item_precision import Precision, with_known
from fedrec.protocol.item_rows import Items, rows_of, union, with_rows

Precisions = Sequence[Precision | None]
"""Of each state; None where rows are averaged like everything else."""


def weighted_sum(
    states: Sequence[State],
    weights: NDArray[np.float64],
    known: Precisions = (),
    trust: NDArray[np.float64] | None = None,
) -> State:
    """sum_j weights[j] * states[j], as new arrays.

    Args:
        states: n >= 1 states with the same keys and shapes, but for their item rows.
        weights: (n,); with weights >= 0 that sum to 1, equal states give that same state bit for bit, and every value
            lies between the smallest and the largest of its n sources.
        known: weights of an item's rows are how much each knows of it, times `trust`, made to sum to the same: the mean
            of normal posteriors whose product is wanted (consensus Monte Carlo, Scott et al. 2016). The sum has their
            precision beside it.
        trust: (n,) how much of that counts; none = all.
    """
    keys = [key for key in states[0] if key not in (ITEMS_A, ROWS, KNOWN)]
    total: State = {key: _sum((state[key] for state in states), weights) for key in keys}
    if ITEMS_A not in states[0]:
        return total
    items = union(states)
    rows, precision = (rows_of(state, items) for state in states), precisions(known, items)
    if precision is None:
        return with_rows(total, items, _sum(rows, weights))
    counting = precision if trust is None else trust[:, None] * precision
    shares = counting * (weights.sum() / counting.sum(0))
    mean = with_rows(total, items, _sum(rows, shares[..., None]))
    return with_known(mean, (items, counting.sum(0).astype(np.float32)))


def precisions(known: Precisions, items: Items) -> NDArray[np.float64] | None:
    """(n, m) of n states and some items; None where rows are averaged like everything else."""
    found = [each.of(items) for each in known if each is not None]
    return np.stack(found) if found else None


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


def weighted_mean(states: Sequence[State], examples: Sequence[int], known: Precisions = ()) -> State:
    """Mean of n >= 1 states weighted by their numbers of examples (McMahan et al. 2017, algorithm 1).

    Where nobody has an example the mean is plain: all those states are the unchanged model.
    """
    return weighted_sum(states, weights_of(examples), known)


def weights_of(examples: Sequence[int]) -> NDArray[np.float64]:
    """(n,) the weights of `weighted_mean`."""
    counts = np.asarray(examples, np.float64)
    if not counts.any():
        counts = np.ones(len(counts))
    weights: NDArray[np.float64] = counts / counts.sum()
    return weights
