"""Columns of text turned into numbers, each with the mask of the values that are none. Pure, vectorised.

Every function parses each distinct value once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fedrec.data.readers.sheet import Column, Mask

LABELS = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}
SPLIT_NAMES = {"train": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2}
_INTEGER = re.compile(r"-?[0-9]{1,100}")
_SHORT_INTEGER = r"^-?[0-9]{1,18}$"
_DECIMAL_COMMA = r"^[-+]?[0-9]*,([0-9]{1,2}|[0-9]{4,})$"  # three digits may be thousands


def index_of(column: Column) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Texts as indices (n,) into those that occur, in natural order."""
    used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.values)))
    ordered = natural_order(column.values.take(pa.array(used)).to_pylist())
    rank = np.empty(len(column.values), np.int32)
    rank[used[[i for i, _ in ordered]]] = np.arange(len(used), dtype=np.int32)
    return rank[column.codes], tuple(value for _, value in ordered)


def natural_order(values: list[str]) -> list[tuple[int, str]]:
    """(position, value) in numeric order where all values are integers, else in lexicographic order."""
    pairs = list(enumerate(values))
    texts = pa.array(values, pa.string())
    if pc.all(pc.match_substring_regex(texts, _SHORT_INTEGER)).as_py():
        integers = pc.cast(texts, pa.int64()).to_numpy()
        order = np.argsort(integers, kind="stable")
        if (np.diff(integers[order]) > 0).all():
            return [pairs[i] for i in order.tolist()]
    if all(_INTEGER.fullmatch(value) for value in values):
        return sorted(pairs, key=lambda pair: (int(pair[1]), pair[1]))
    return sorted(pairs, key=lambda pair: pair[1])


def numbers(column: Column) -> tuple[NDArray[np.float64], Mask]:
    """Finite decimal numbers, with a point or a comma."""
    parsed = floats(column.values)
    unread = np.isnan(parsed)
    if unread.any():
        comma = pc.match_substring_regex(column.values, _DECIMAL_COMMA).to_numpy(zero_copy_only=False) & unread
        parsed[comma] = floats(pc.replace_substring(column.values, ",", ".").filter(pa.array(comma)))
    return parsed[column.codes], column.where(~np.isfinite(parsed))


def coded(column: Column, codes: Mapping[str, int]) -> tuple[NDArray[np.int8], Mask]:
    """Words of a fixed vocabulary, without case; a word outside it is -1."""
    of_values = np.array([codes.get(word.casefold(), -1) for word in column.values.to_pylist()], np.int8)
    return of_values[column.codes], column.where(of_values < 0)


def floats(texts: pa.StringArray) -> NDArray[np.float64]:
    """Numbers; NaN where a text is none."""
    try:
        return np.array(pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        import pandas as pd

        return pd.to_numeric(pd.Series(texts.to_pylist(), dtype=object), errors="coerce").to_numpy(
            np.float64, copy=True
        )
