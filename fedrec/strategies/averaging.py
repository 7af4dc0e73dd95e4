"""Averages of adapter states: theta = sum_j w_j theta_j, tensor by tensor, A and B apart.

An item's learnt row is averaged over those who have met the item, where it is told who has: a row that one of five
learnt is not a fifth of itself then.

Sums run in float64 in the order given and are rounded to float32 once at the end. Hand the states over in a fixed order
of the clients (by name, not by arrival), and the result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import ITEMS_A, State

Met = Sequence[NDArray[np.bool_] | None]
"""Of each state, (items,) whose rows it has learnt; None where rows are averaged like everything else."""


def weighted_sum(states: Sequence[State], weights: NDArray[np.float64], met: Met = ()) -> State:
    """sum_j weights[j] * states[j], as new arrays.

    Args:
        states: n >= 1 states with the same keys and shapes.
        weights: (n,); with weights >= 0 that sum to 1, equal states give that same state bit for bit, and every value
            lies between the smallest and the largest of its n sources.
        met: of an item that any has met, the weights of those alone count, made to sum to the same.
    """
    total: State = {}
    known = [each for each in met if each is not None]
    for key in states[0]:
        if key == ITEMS_A and known:
            total[key] = _over_those_who_met([state[key] for state in states], weights, np.stack(known))
            continue
        # The first term starts the sum: 0.0 + -0.0 would lose the sign of a zero.
        value = weights[0] * states[0][key].astype(np.float64)
        for state, weight in zip(states[1:], weights[1:], strict=True):
            value += weight * state[key].astype(np.float64)
        total[key] = value.astype(np.float32)
    return total


def _over_those_who_met(
    rows: Sequence[NDArray[np.float32]], weights: NDArray[np.float64], met: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(items, r) of n such, of which (n, items) are met."""
    of_row = weights[:, None] * met
    sums = of_row.sum(0)
    of_row = np.where(sums > 0, of_row * (weights.sum() / np.where(sums > 0, sums, 1)), weights[:, None])
    value: NDArray[np.float64] = of_row[0][:, None] * rows[0].astype(np.float64)
    for mine, share in zip(rows[1:], of_row[1:], strict=True):
        value += share[:, None] * mine.astype(np.float64)
    return value.astype(np.float32)


def weighted_mean(states: Sequence[State], examples: Sequence[int], met: Met = ()) -> State:
    """Mean of n >= 1 states weighted by their numbers of examples (McMahan et al. 2017, algorithm 1).

    Where nobody has an example the mean is plain: all those states are the unchanged model.
    """
    counts = np.asarray(examples, np.float64)
    if not counts.any():
        counts = np.ones(len(states))
    return weighted_sum(states, counts / counts.sum(), met)
