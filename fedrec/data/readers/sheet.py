"""A file of rows as columns of text, and the faults of its rows.

Every source, whatever its format, passes through `RawTable`: text columns named by role, with the number that each row
has in its file, so that a fault found by a vectorised check still names its line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedrec.errors import DataError

Mask = NDArray[np.bool_]
Check = tuple[Mask, Callable[[int], str]]
"""The bad rows, and what to say of the bad row at position i."""


@dataclass(frozen=True)
class RawTable:
    """n rows of unchecked text.

    Attributes:
        path: the file, for messages.
        columns: role ("user", "rating", ...) → n stripped strings, "" where the value is missing.
        record: (n,) int64, each row's number in the file, from 1 (a header counts).
        place: record number → where that is, for a person ("line 7").
        broken: record number → fault, for records that could not be taken apart; they are not among the n rows.
    """

    path: Path
    columns: pd.DataFrame
    record: NDArray[np.int64]
    place: Callable[[int], str]
    broken: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.record)

    def sift(self, checks: list[Check], skip: bool) -> Mask:
        """(n,) mask of the good rows.

        Raises:
            DataError: the first fault in the order of the file, unless `skip`.
        """
        bad = np.zeros(len(self), bool)
        for mask, _ in checks:
            bad |= mask
        if not skip and (bad.any() or self.broken):
            self._raise_first(bad, checks)
        return ~bad

    def _raise_first(self, bad: Mask, checks: list[Check]) -> None:
        found = dict(self.broken)
        if bad.any():
            row = int(np.argmax(bad))
            found[int(self.record[row])] = next(say(row) for mask, say in checks if mask[row])
        first = min(found)
        raise DataError(f"{self.path} {self.place(first)}: {found[first]}; mend it, or pass --skip-bad-rows")


class Sheet(Protocol):
    """A file whose columns can be taken by position."""

    @property
    def path(self) -> Path: ...

    @property
    def names(self) -> list[str]:
        """The columns there are, by name."""

    def take(self, columns: Mapping[str, int]) -> RawTable:
        """The columns at the given positions, named by role."""


def quote(value: object) -> str:
    """A value for a one-line message: printable, quoted, at most 60 characters."""
    text = repr(str(value))
    return text if len(text) <= 60 else f"{text[:56]}...'"
