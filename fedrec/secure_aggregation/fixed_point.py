"""Numbers modulo 2^64, in which sums are exact whatever their order: x stands as round(x 2^24).

A sum of n numbers is off by n 2^-25 at most. It holds while its magnitude is below 2^39.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.errors import FedrecError

Vector = NDArray[np.uint64]
_ONE = 2.0**24
LARGEST, WEIGHTS = 2.0**13, 2**25
"""Largest number, and sum of the whole weights that numbers may come with."""


def encoded(values: NDArray[np.float64], weight: int) -> Vector:
    """(n,) weight times each.

    Raises:
        FedrecError: one of them is not finite, or too large.
    """
    if not (np.abs(values) <= LARGEST).all():
        raise FedrecError(f"an update has a number that is not within {LARGEST:g}: nothing is sent")
    return np.rint(values * (weight * _ONE)).astype(np.int64).view(np.uint64)


def decoded(total: Vector) -> NDArray[np.float64]:
    """(n,) what a sum stands for."""
    return total.view(np.int64) / _ONE
