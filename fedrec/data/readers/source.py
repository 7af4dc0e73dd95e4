"""What a format hands on: two unchecked tables and the format's own facts."""

from __future__ import annotations

from dataclasses import dataclass

from fedrec.data.readers.sheet import RawTable


@dataclass(frozen=True)
class Source:
    """A data set as found on disk.

    Attributes:
        name: short name, for reports.
        format: name of the reader, for the notes.
        interactions: columns user, item, and rating or label; perhaps time, title, split, client.
        items: columns item and title, one row an item; None = the titles are in `interactions`.
        like_above: the format's usual like threshold; None = the midpoint of the observed ratings.
    """

    name: str
    format: str
    interactions: RawTable
    items: RawTable | None = None
    like_above: float | None = None
