"""Averages of adapter states: theta = sum_j w_j theta_j, tensor by tensor, A and B apart.

Sums run in float64 in the order given and are rounded to float32 once at the end. Hand the states over in a fixed order
of the clients (by name, not by arrival), and the result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import State


def weighted_sum(states: Sequence[State], weights: NDArray[np.float64]) -> State:
    """sum_j weights[j] * states[j], as new arrays.

    Args:
        states: n >= 1 states with the same keys and shapes.
        weights: (n,); with weights >= 0 that sum to 1, equal states give that same state bit for bit, and every value
            lies between the smallest and the largest of its n sources.
    """
    total: State = {}
    for key in states[0]:
        # The first term starts the sum: 0.0 + -0.0 would lose the sign of a zero.
        value = weights[0] * states[0][key].astype(np.float64)
        for state, weight in zip(states[1:], weights[1:], strict=True):
            value += weight * state[key].astype(np.float64)
        total[key] = value.astype(np.float32)
    return total


def weighted_mean(states: Sequence[State], examples: Sequence[int]) -> State:
    """Mean of n >= 1 states weighted by their numbers of examples (McMahan et al. 2017, algorithm 1).

    Where nobody has an example the mean is plain: all those states are the unchanged model.
    """
    counts = np.asarray(examples, np.float64)
    if not counts.any():
        counts = np.ones(len(states))
    return weighted_sum(states, counts / counts.sum())
