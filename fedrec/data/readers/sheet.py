"""A file of rows as columns of text, and the faults of its rows.

Every source, whatever its format, passes through `RawTable`: text columns named by role, with the number that each row
has in its file, so that a fault found by a vectorised check still names its line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import ior
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fedrec.data.readers.arrow import are_empty, have_no_space, numpy_of
from fedrec.errors import DataError
from fedrec.text import amount

Mask = NDArray[np.bool_]
Check = tuple[Mask, Callable[[int], str]]
"""The bad rows, and what to say of the bad row at position i."""


@dataclass(frozen=True)
class Column:
    """n stripped texts: row i is `values[codes[i]]`, "" where the value is missing.

    Each distinct text is held once, so that what is to be known of it is worked out once and spread over the rows by
    `codes`; only of times, which hardly repeat, each row holds its own.
    """

    codes: NDArray[np.int32]
    values: pa.StringArray

    @classmethod
    def of(cls, role: str, texts: pa.ChunkedArray) -> Column:
        """From strings without nulls, or a dictionary of them, in any number of chunks."""
        if role == "time" and not pa.types.is_dictionary(texts.type):
            return cls(np.arange(len(texts), dtype=np.int32), _trimmed(texts.combine_chunks()))
        if not len(texts):
            return cls(np.empty(0, np.int32), pa.array([], pa.string()))
        encoded = pa.types.is_dictionary(texts.type)
        whole = texts.unify_dictionaries() if encoded else texts.dictionary_encode()  # one for all chunks either way
        codes = np.concatenate([numpy_of(chunk.indices) for chunk in whole.chunks])
        spelt = whole.chunk(0).dictionary
        return cls(codes.astype(np.int32, copy=False), spelt).mapped(_trimmed(spelt))

    def mapped(self, values: pa.StringArray) -> Column:
        """The column with each distinct text exchanged for another; texts that became one are one."""
        if values is self.values or values.equals(self.values):
            return self
        merged = values.dictionary_encode()
        return Column(numpy_of(merged.indices).astype(np.int32)[self.codes], merged.dictionary.cast(pa.string()))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return str(self.values[int(self.codes[row])])

    def where(self, of_values: Any) -> Mask:
        """(n,) what holds of each row, from what holds of each distinct text (an Arrow or numpy array of booleans)."""
        if isinstance(of_values, pa.Array):
            of_values = numpy_of(of_values)
        told = np.asarray(of_values, bool)
        return told[self.codes] if told.any() else np.zeros(len(self), bool)

    def empty(self) -> Mask:
        return self.where(are_empty(self.values))

    def take(self, rows: Mask) -> Column:
        return self if rows.all() else Column(self.codes[rows], self.values)


@dataclass(frozen=True)
class RawTable:
    """n rows of unchecked text.

    Attributes:
        path: the file, for messages.
        columns: role ("user", "rating", ...) → n texts.
        record: (n,) int64, each row's number in the file, from 1 (a header counts).
        place: record number → where that is, for a person ("line 7").
        broken: record number → fault, for records that could not be taken apart; they are not among the n rows.
    """

    path: Path
    columns: Mapping[str, Column]
    record: NDArray[np.int64]
    place: Callable[[int], str]
    broken: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.record)

    def sift(self, checks: list[Check], skip: bool) -> Mask:
        """(n,) mask of the good rows.

        Raises:
            DataError: the first fault in the order of the file, unless `skip` and there are good rows.
        """
        bad = bad_rows(checks)
        if not (bad.any() or self.broken) or (skip and not bad.all()):
            return ~bad
        found = dict(self.broken)
        if bad.any():
            row = int(np.argmax(bad))
            found[int(self.record[row])] = next(say(row) for mask, say in checks if mask[row])
        first = min(found)
        count = int(bad.sum()) + len(self.broken)
        others = f" and {amount(count - 1, 'other bad row')}" if count > 1 else ""
        mend = "every row is bad: mend them" if bad.all() else f"mend it{others}, or pass --skip-bad-rows"
        raise DataError(f"{self.path} {self.place(first)}: {found[first]}; {mend}")


@dataclass(frozen=True)
class Source:
    """A data set as found on disk.

    Attributes:
        name: short name, for reports.
        format: name of the reader, for the notes.
        interactions: columns user, item, and rating or label; perhaps time, title, split, client.
        items: columns item and title, one row an item; None = the titles are in `interactions`.
        read_as: role → name of the column of `interactions` that plays it; empty where the format fixes the columns.
        unused: the names of the columns that play no role.
        guessed: the column that is read as times because of its values, not its name.
        like_above: the format's usual like threshold; None = the midpoint of the observed ratings.
    """

    name: str
    format: str
    interactions: RawTable
    items: RawTable | None = None
    like_above: float | None = None
    read_as: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    guessed: str | None = None


def bad_rows(checks: list[Check]) -> Mask:
    """(n,) mask of the rows that some check finds bad."""
    return reduce(ior, (mask for mask, _ in checks), np.zeros(len(checks[0][0]), bool))


class Sheet(Protocol):
    """A file whose columns can be taken by position."""

    @property
    def path(self) -> Path: ...

    @property
    def names(self) -> list[str]:
        """The columns there are, by name."""

    def take(self, columns: Mapping[str, int]) -> RawTable:
        """The columns at the given positions, named by role."""

    def beginning(self) -> Sheet:
        """Its first rows alone, to see what kind of values a column has."""


def _trimmed(texts: pa.StringArray) -> pa.StringArray:
    return texts if have_no_space(texts) else pc.utf8_trim_whitespace(texts)


def is_whole(numbers: pa.ChunkedArray) -> bool:
    """Whether all floats of a column are whole numbers that a float holds exactly; nulls do not count."""
    whole = pc.and_(pc.equal(numbers, pc.floor(numbers)), pc.less(pc.abs(numbers), float(2**53)))
    return bool(pc.all(whole).as_py())


def first_lines(data: bytes, size: int = 1 << 16) -> bytes:
    """About so many bytes of text, up to the end of a line."""
    end = data.find(b"\n", size)
    return data if end < 0 else data[:end]


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names for a one-line message: the first `most`, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def quote(value: object) -> str:
    """A value for a one-line message: printable, quoted, at most 60 characters."""
    text = repr(str(value))
    return text if len(text) <= 60 else f"{text[:56]}...'"
