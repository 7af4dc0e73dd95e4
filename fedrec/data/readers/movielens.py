"""The formats with files of fixed names: MovieLens 100K, 1M and latest, and MovieTweetings.

A like is a rating above 3 of 5 (MovieLens) or above 7 of 10 (MovieTweetings).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fedrec.data.readers.content import Content
from fedrec.data.readers.delimited import Delimited
from fedrec.data.readers.generic import read_generic
from fedrec.data.readers.lines import Style
from fedrec.data.readers.sheet import RawTable, Source, listed
from fedrec.data_settings import DataConfig
from fedrec.errors import DataError, UsageError


@dataclass(frozen=True)
class Headless:
    """A reader of two files without headers: user, item, rating, time; and item, title, ...

    Attributes:
        ratings: pattern of the first one's name.
        items: a word of that name, and what stands for it in the second one's.
        separators: of both.
        encodings: of the titles, tried in this order; latin-1 text is never valid UTF-8.
        like_above: the usual threshold.
    """

    name: str
    ratings: str
    items: tuple[str, str]
    separators: tuple[str, str]
    encodings: tuple[str, ...]
    like_above: float

    def __call__(self, path: Path, config: DataConfig) -> Source:
        found = sorted(path.glob(self.ratings)) if path.is_dir() else [path]
        if len(found) != 1:
            names = listed([file.name for file in found]) or "none"
            raise DataError(f"{path}: one file {self.ratings} is expected, found {names}; name the file itself")
        items = found[0].with_name(found[0].name.replace(*self.items))
        first, second = (Style(separator, header=False) for separator in self.separators)
        rows = _taken(found[0], first, ("user", "item", "rating", "time"), config)
        titles = _taken(items, replace(second, encodings=self.encodings), ("item", "title"), config)
        return Source(self.name, self.name, rows, titles, self.like_above)


HEADLESS = (
    Headless("ml-100k", "u.data", ("data", "item"), ("\t", "|"), ("utf-8", "latin-1"), 3),
    Headless("ml-1m", "*ratings.dat", ("ratings", "movies"), ("::", "::"), ("utf-8", "latin-1"), 3),
    Headless("movietweetings", "*ratings.dat", ("ratings", "movies"), ("::", "::"), ("utf-8",), 7),
)


def read_ml_latest(path: Path, config: DataConfig) -> Source:
    """`ratings.csv` (userId, movieId, rating, timestamp) and `movies.csv` (movieId, title, genres)."""
    folder = path if path.is_dir() else path.parent
    source = read_generic(folder / "ratings.csv", config, "csv")
    return replace(source, name="ml-latest", format="ml-latest", like_above=3)


def _taken(path: Path, style: Style, roles: tuple[str, ...], config: DataConfig) -> RawTable:
    if config.columns:
        raise UsageError(f"data.columns.{min(config.columns)}: {path.name} has fixed columns; leave the option out")
    if config.items.path or config.items.columns:
        raise UsageError(f"--items: {path.name} belongs to a data set with titles of its own; leave the option out")
    if config.encoding:
        style = replace(style, encodings=(config.encoding,))
    sheet = Delimited.open(Content.read(path), style)
    if len(sheet.fields) < len(roles):
        raise DataError(
            f"{path} line 1: {len(sheet.fields)} fields where {len(roles)} are expected, set apart by"
            f" {style.separator!r}; mend the file, or give this file by itself, with its format: --format csv"
        )
    return sheet.take({role: place for place, role in enumerate(roles)})
