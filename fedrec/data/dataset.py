"""The two tables everything reads: interactions (who said what of which item, when) and the item catalogue.

Both are columnar and frozen. They are validated once, here at the door; code behind it trusts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "valid", "test", "history")
TRAIN, VALID, TEST, HISTORY = 0, 1, 2, 3  # a history row is only seen before others, never learned from or scored


@dataclass(frozen=True)
class Catalogue:
    """The public item catalogue: item i has id `ids[i]` and title `titles[i]`. Titles may repeat; ids may not."""

    ids: tuple[str, ...]
    titles: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.titles):
            raise ValueError(f"{len(self.ids)} item ids but {len(self.titles)} titles")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("item ids repeat in the catalogue")

    def __len__(self) -> int:
        return len(self.ids)

    def content(self) -> dict[str, tuple[str, ...]]:
        """As `Catalogue(**content)` reads it."""
        return {"ids": self.ids, "titles": self.titles}

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The position of each id; made once, as it takes longer than a client's rows."""
        return {name: place for place, name in enumerate(self.ids)}


@dataclass(frozen=True)
class Interactions:
    """n rows, given in any order and sorted by (user, time, item), the order in which rows are "before" one another.

    Rows of one second are ordered by item index, a rule that does not depend on the order of the file.

    Attributes:
        user: (n,) int32, index into `user_ids`.
        item: (n,) int32, index into the catalogue.
        label: (n,) int8, 1 = liked, 0 = not.
        time: (n,) int64, Unix seconds (row numbers where the source has no times).
        split: (n,) int8, an index into `SPLITS`.
        user_ids: the users' ids as the source spells them.
        client: (n,) int32 index into `client_ids`, where the source names each row's client; else None.
        truth: (n,) float64 true like-probability, known for generated data only; else None.
        ties: (n,) each, the order of rows alike in user, time and item, by the first one first; none = as given.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    label: NDArray[np.int8]
    time: NDArray[np.int64]
    split: NDArray[np.int8]
    user_ids: tuple[str, ...]
    client: NDArray[np.int32] | None = None
    client_ids: tuple[str, ...] = ()
    truth: NDArray[np.float64] | None = None
    ties: InitVar[Sequence[NDArray[Any]]] = ()

    def __post_init__(self, ties: Sequence[NDArray[Any]]) -> None:
        columns, n = self._columns(), len(self.user)
        for name, column in columns.items():
            if column.shape != (n,):
                raise ValueError(f"column {name} has shape {column.shape}, expected ({n},)")
        if n and (self.user.min() < 0 or self.user.max() >= len(self.user_ids)):
            raise ValueError("a user index is out of range")
        if not ((self.label == 0) | (self.label == 1)).all():
            raise ValueError("labels must be 0 or 1")
        keys = self.user, self.time, self.item
        if not _ascend(*keys, ties=not ties):
            order = _order(*keys, *ties)
            for name, column in columns.items():
                object.__setattr__(self, name, column[order])

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Interactions:
        """The given rows (a mask, or positions), with the user index unchanged."""
        return replace(self, **{name: column[rows] for name, column in self._columns().items()})

    def _columns(self) -> dict[str, Any]:
        names = ("user", "item", "label", "time", "split", "client", "truth")
        return {name: column for name in names if (column := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Dataset:
    """Interactions over a catalogue, with what the reader has to say of them.

    Attributes:
        name: short name, for reports ("ml-100k", "generated").
        skipped: bad rows that `--skip-bad-rows` dropped.
        notes: facts of the reading a person should see (format recognised, threshold used, split rule).
        warnings: what is most likely not meant, each with the option that decides.
        listed: whether the catalogue is a list of its own, and tells nothing of the rows.
    """

    name: str
    interactions: Interactions
    catalogue: Catalogue
    skipped: int = 0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    listed: bool = True


def _ascend(*keys: NDArray[Any], ties: bool = False) -> bool:
    """Whether rows are sorted by the keys, the first one first; with or without some alike in all of them."""
    later, equal = np.zeros(max(0, len(keys[0]) - 1), bool), np.ones(max(0, len(keys[0]) - 1), bool)
    for key in keys:
        later |= equal & (key[1:] > key[:-1])
        equal &= key[1:] == key[:-1]
    return bool((later | equal).all() if ties else later.all())


def _order(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """The stable order by the keys, the first one first."""
    first, *others = _packed(keys)
    order = np.argsort(first, kind="stable")
    for packed in others:
        order = order[np.argsort(packed[order], kind="stable")]
    return order


def _packed(keys: Sequence[NDArray[Any]]) -> Iterator[NDArray[np.uint64]]:
    """As few keys as give the same order, the first one last: several become one number where they fit."""
    packed, size = np.zeros(len(keys[0]), np.uint64), 1
    for key in reversed(keys if len(packed) else ()):
        low, high = int(key.min()), int(key.max())
        if low == high:
            continue
        if size * (high - low + 1) > 2**64:
            yield packed
            packed, size = np.zeros_like(packed), 1
        packed += (key.astype(np.int64) - np.int64(low)).view(np.uint64) * np.uint64(size)
        size *= high - low + 1
    yield packed
