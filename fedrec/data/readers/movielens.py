"""The formats with files of fixed names: MovieLens 100K, 1M and latest, and MovieTweetings.

A like is a rating above 3 of 5 (MovieLens) or above 7 of 10 (MovieTweetings).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fedrec.config import DataConfig
from fedrec.data.readers.content import Content
from fedrec.data.readers.delimited import Delimited
from fedrec.data.readers.generic import read_generic
from fedrec.data.readers.lines import Style
from fedrec.data.readers.sheet import RawTable, listed
from fedrec.data.readers.source import Source
from fedrec.errors import DataError, UsageError

_RATING = {"user": 0, "item": 1, "rating": 2, "time": 3}
_ITEM = {"item": 0, "title": 1}
_MOVIELENS_TEXT = ("utf-8", "latin-1")  # published in latin-1, passed on in either; latin-1 text is never valid UTF-8


def read_ml_100k(path: Path, config: DataConfig) -> Source:
    """`u.data` (tab: user, item, rating, time) and `u.item` (`|`: id, title, ...)."""
    folder = path if path.is_dir() else path.parent
    ratings = _headless(folder / "u.data", "\t", ("utf-8",), _RATING, config)
    items = _headless(folder / "u.item", "|", _MOVIELENS_TEXT, _ITEM, config)
    return Source("ml-100k", "ml-100k", ratings, items, like_above=3)


def read_ml_1m(path: Path, config: DataConfig) -> Source:
    """`ratings.dat` and `movies.dat` (`::`)."""
    ratings, movies = _dat_files(path)
    return Source(
        "ml-1m", "ml-1m",
        _headless(ratings, "::", ("utf-8",), _RATING, config),
        _headless(movies, "::", _MOVIELENS_TEXT, _ITEM, config),
        like_above=3,
    )  # fmt: skip


def read_movietweetings(path: Path, config: DataConfig) -> Source:
    """`*ratings.dat` and `*movies.dat` (`::`, UTF-8); item ids are IMDb numbers padded with zeros."""
    ratings, movies = _dat_files(path)
    return Source(
        "movietweetings", "movietweetings",
        _headless(ratings, "::", ("utf-8",), _RATING, config),
        _headless(movies, "::", ("utf-8",), _ITEM, config),
        like_above=7,
    )  # fmt: skip


def read_ml_latest(path: Path, config: DataConfig) -> Source:
    """`ratings.csv` (userId, movieId, rating, timestamp) and `movies.csv` (movieId, title, genres)."""
    folder = path if path.is_dir() else path.parent
    source = read_generic(folder / "ratings.csv", "csv", config)
    return replace(source, name="ml-latest", format="ml-latest", like_above=3)


def _dat_files(path: Path) -> tuple[Path, Path]:
    candidates = sorted(path.glob("*ratings.dat")) if path.is_dir() else [path]
    if len(candidates) != 1:
        found = listed([file.name for file in candidates]) or "none"
        raise DataError(f"{path}: one file *ratings.dat is expected, found {found}; name the file itself")
    ratings = candidates[0]
    return ratings, ratings.with_name(ratings.name.replace("ratings", "movies"))


def _headless(
    path: Path, separator: str, encodings: tuple[str, ...], columns: dict[str, int], config: DataConfig
) -> RawTable:
    if config.columns:
        raise UsageError(f"data.columns.{min(config.columns)}: {path.name} has fixed columns; leave the option out")
    if config.items.path or config.items.columns:
        raise UsageError(f"--items: {path.name} belongs to a data set with titles of its own; leave the option out")
    if config.encoding:
        encodings = (config.encoding,)
    sheet = Delimited.open(Content.read(path), Style(separator, encodings=encodings, header=False))
    if len(sheet.fields) <= max(columns.values()):
        raise DataError(
            f"{path} line 1: {len(sheet.fields)} fields where {max(columns.values()) + 1} are expected, set apart by"
            f" {separator!r}; mend the file, or give this file by itself, with its format: --format csv"
        )
    return sheet.take(columns)
