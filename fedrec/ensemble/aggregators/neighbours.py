"""Cosines and nearest rows, the same to the last bit however the work is cut up.

A deletion changes how many rows there are, and with it the order in which BLAS adds. Exact forgetting compares bytes,
so no order may show: unit vectors are rounded to multiples of 2^-20, a cosine is then a multiple of 2^-40 below 2,
and every partial sum of one fits the 53 bits of a double. Nothing is ever rounded, and ties are true ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 20
_CHUNK = 512  # rows whose cosines are held at once


def directions(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, d) unit vectors on the grid of 2^-20; a zero vector has no direction and stays zero.

    `directions(a) @ directions(b).T` are the exact cosines of the rounded vectors, within 2^-20 sqrt(d) of the true.
    """
    vectors = vectors.astype(np.float64)
    length = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.ldexp(np.rint(np.ldexp(vectors / np.where(length > 0, length, 1), _BITS)), -_BITS)


def nearest(vectors: NDArray[np.floating], among: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """The rows of `among` (v, d) nearest to each of `vectors` (n, d) by cosine.

    Returns:
        (n, min(count, v)) indices, nearest first, equally near ones by index.
    """
    wanted, offered = directions(vectors), directions(among)
    count, index = min(count, len(among)), np.arange(len(among))
    found = np.empty((len(vectors), count), np.intp)
    for low in range(0, len(wanted), _CHUNK):
        cosines = wanted[low : low + _CHUNK] @ offered.T
        # One integer a pair, so that no two are equal: the cosine above, the index in the lowest 22 bits.
        keys = np.ldexp(-cosines, 2 * _BITS).astype(np.int64) * 2**22 + index
        keys = np.sort(np.partition(keys, count - 1, axis=1)[:, :count], axis=1)
        found[low : low + _CHUNK] = keys % 2**22
    return found
