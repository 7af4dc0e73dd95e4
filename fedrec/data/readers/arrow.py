"""Between Arrow and numpy, and what is known of texts by their bytes at a glance.

Arrow's own ways (`to_numpy`, `pa.array`, comparing with a value) import pandas, which takes as long as reading a
million rows; so what every file goes through does without them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_SPACE, _TILDE = 0x20, 0x7E  # the first and the last of printable ASCII


def numpy_of(array: pa.Array) -> NDArray[Any]:
    """Numbers or booleans, of which none is null, to be read only."""
    if pa.types.is_boolean(array.type):
        return np.from_dlpack(pc.cast(array, pa.uint8())).view(bool)
    return np.from_dlpack(array)


def taken(texts: pa.StringArray, positions: NDArray[np.integer[Any]]) -> pa.StringArray:
    """The texts at some positions."""
    whole = np.ascontiguousarray(positions, np.int64)
    return texts.take(pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)]))


def are_within(texts: pa.StringArray, low: int, high: int) -> bool:
    """Whether all bytes of the texts are between two, both included."""
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return True
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return bool(not len(held) or (held.min() >= low and held.max() <= high))


def have_no_space(texts: pa.StringArray) -> bool:
    """Whether they are of printable ASCII without white space."""
    return are_within(texts, _SPACE + 1, _TILDE)


def holding(texts: pa.StringArray, pattern: str) -> NDArray[np.bool_]:
    """(n,) whether each text holds what the pattern means, which is nothing of printable ASCII."""
    if are_within(texts, _SPACE, _TILDE):
        return np.zeros(len(texts), bool)
    return numpy_of(pc.match_substring_regex(texts, pattern))


def are_empty(texts: pa.StringArray) -> NDArray[np.bool_]:
    """(n,)"""
    return np.asarray(numpy_of(pc.binary_length(texts)) == 0, bool)
