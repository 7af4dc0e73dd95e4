"""An adapter as one list of numbers, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[np.float32]]


def flat(state: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """(n,) all its numbers, by sorted names."""
    return np.concatenate([state[key].astype(np.float64).ravel() for key in sorted(state)])


def moved(start: Mapping[str, NDArray[np.float32]], update: NDArray[np.float64]) -> State:
    """An adapter moved by an update (n,), rounded to float32 once."""
    found: State = {}
    low = 0
    for key in sorted(start):
        high = low + start[key].size
        found[key] = (start[key] + update[low:high].reshape(start[key].shape)).astype(np.float32)
        low = high
    return found
