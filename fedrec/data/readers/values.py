"""Columns of text turned into numbers, each with the mask of the values that are none. Pure, vectorised.

Every function parses each distinct value once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedrec.data.readers.sheet import Mask

LABELS = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}
SPLIT_NAMES = {"train": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2}
_INTEGER = re.compile(r"-?[0-9]{1,100}")


def index_of(texts: pd.Series[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Texts as indices (n,) into their distinct values in natural order."""
    codes, distinct = pd.factorize(texts)
    values = [str(value) for value in distinct]
    ordered = natural_order(values)
    rank = np.empty(len(values), np.int32)
    rank[[i for i, _ in ordered]] = np.arange(len(values), dtype=np.int32)
    return rank[codes], tuple(value for _, value in ordered)


def natural_order(values: list[str]) -> list[tuple[int, str]]:
    """(position, value) in numeric order where all values are integers, else in lexicographic order."""
    pairs = list(enumerate(values))
    if all(_INTEGER.fullmatch(value) for value in values):
        return sorted(pairs, key=lambda pair: (int(pair[1]), pair[1]))
    return sorted(pairs, key=lambda pair: pair[1])


def numbers(texts: pd.Series[str]) -> tuple[NDArray[np.float64], Mask]:
    """Finite decimal numbers."""
    codes, distinct = pd.factorize(texts)
    parsed = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(np.float64)
    values = parsed[codes]
    return values, ~np.isfinite(values)


def coded(texts: pd.Series[str], codes: Mapping[str, int]) -> tuple[NDArray[np.int8], Mask]:
    """Words of a fixed vocabulary, without case; a word outside it is -1."""
    index, distinct = pd.factorize(texts)
    values = np.array([codes.get(str(word).casefold(), -1) for word in distinct], np.int8)[index]
    return values, values < 0


def times(texts: pd.Series[str]) -> tuple[NDArray[np.int64], Mask]:
    """Unix seconds, given as numbers or as ISO 8601 dates (UTC where no zone is named)."""
    codes, distinct = pd.factorize(texts)
    seconds = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(np.float64, copy=True)
    unread = np.isnan(seconds)
    if unread.any():
        dates = pd.to_datetime(pd.Series(distinct[unread]), format="ISO8601", errors="coerce", utc=True)
        since = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        seconds[unread] = since.to_numpy(np.float64)
    bad = ~(np.abs(seconds) < 2.0**62)
    return np.where(bad, 0, np.floor(seconds)).astype(np.int64)[codes], bad[codes]
