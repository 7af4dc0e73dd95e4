"""What a format hands on: two unchecked tables and the format's own facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fedrec.data.readers.sheet import RawTable


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
        like_above: the format's usual like threshold; None = the midpoint of the observed ratings.
    """

    name: str
    format: str
    interactions: RawTable
    items: RawTable | None = None
    like_above: float | None = None
    read_as: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
