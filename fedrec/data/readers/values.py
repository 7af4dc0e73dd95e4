"""Columns of text turned into numbers, each with the mask of the values that are none. Pure, vectorised.

Every function parses each distinct value once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fedrec.data.readers.arrow import are_within, numpy_of, taken
from fedrec.data.readers.sheet import Column, Mask

LABELS = dict.fromkeys(("1", "1.0", "true", "yes", "up", "like", "liked"), 1)
LABELS |= dict.fromkeys(("0", "0.0", "false", "no", "down", "dislike", "disliked"), 0)
SPLIT_NAMES = {"train": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2}
Order = Callable[[pa.StringArray], NDArray[np.intp]]
_INTEGER = re.compile(r"-?[0-9]{1,100}")
_DECIMAL_COMMA = r"^[-+]?[0-9]*,([0-9]{1,2}|[0-9]{4,})$"  # three digits may be thousands


def index_of(column: Column, order_of: Order | None = None) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Texts as indices (n,) into those that occur, in natural order or another."""
    used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.values)))
    present = taken(column.values, used)
    order = (order_of or natural_order)(present)
    rank = np.empty(len(column.values), np.int32)
    rank[used[order]] = np.arange(len(used), dtype=np.int32)
    return rank[column.codes], tuple(taken(present, order).to_pylist())


def natural_order(texts: pa.StringArray) -> NDArray[np.intp]:
    """Their positions in numeric order where all of them are integers, else in lexicographic order."""
    if are_within(texts, ord("-"), ord("9")):
        with suppress(pa.ArrowInvalid):  # one is no integer, or a large one
            integers = numpy_of(pc.cast(texts, pa.int64()))
            order = np.argsort(integers, kind="stable")
            if (integers[order[1:]] > integers[order[:-1]]).all():
                return order
    values = texts.to_pylist()
    if all(_INTEGER.fullmatch(value) for value in values):
        return np.array(sorted(range(len(values)), key=lambda i: (int(values[i]), values[i])), np.intp)
    return string_order(texts)


def string_order(texts: pa.StringArray) -> NDArray[np.intp]:
    """Their positions in lexicographic order."""
    values = texts.to_pylist()
    return np.array(sorted(range(len(values)), key=values.__getitem__), np.intp)


def numbers(column: Column) -> tuple[NDArray[np.float64], Mask]:
    """Finite decimal numbers, with a point or a comma."""
    parsed = floats(column.values)
    unread = np.isnan(parsed)
    if unread.any():
        comma = numpy_of(pc.match_substring_regex(column.values, _DECIMAL_COMMA)) & unread
        parsed = parsed.copy()
        parsed[comma] = floats(pc.replace_substring(column.values, ",", ".").filter(pa.array(comma)))
    return parsed[column.codes], column.where(~np.isfinite(parsed))


def coded(column: Column, codes: Mapping[str, int]) -> tuple[NDArray[np.int8], Mask]:
    """Words of a fixed vocabulary, without case; a word outside it is -1."""
    of_values = np.array([codes.get(word.casefold(), -1) for word in column.values.to_pylist()], np.int8)
    return of_values[column.codes], column.where(of_values < 0)


def floats(texts: pa.StringArray) -> NDArray[np.float64]:
    """Numbers, to be read only; NaN where a text is none."""
    try:
        return numpy_of(pc.cast(texts, pa.float64()))
    except pa.ArrowInvalid:
        import pandas as pd

        return pd.to_numeric(pd.Series(texts.to_pylist(), dtype=object), errors="coerce").to_numpy(np.float64)
