"""The readers by name, and the recognition of a path by its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fedrec.config import DataConfig
from fedrec.data.readers.content import Content, starts_as
from fedrec.data.readers.generic import format_of, interaction_files, read_generic
from fedrec.data.readers.movielens import read_ml_1m, read_ml_100k, read_ml_latest, read_movietweetings
from fedrec.data.readers.sheet import listed
from fedrec.data.readers.source import Source
from fedrec.errors import DataError, UsageError

Reader = Callable[[Path, DataConfig], Source]


def _generic(form: str) -> Reader:
    return lambda path, config: read_generic(path, form, config)


FORMATS: dict[str, Reader] = {
    "ml-100k": read_ml_100k,
    "ml-1m": read_ml_1m,
    "ml-latest": read_ml_latest,
    "movietweetings": read_movietweetings,
    **{form: _generic(form) for form in ("csv", "tsv", "parquet", "jsonl", "recbole")},
}


def read_source(path: Path, config: DataConfig) -> Source:
    """The data set at `path`, by `config.format` or by the format its files tell.

    Raises:
        UsageError: an unknown format.
        DataError: no such path, or nothing there is recognised.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; name a file or folder of interactions")
    form = config.format or recognise(path)
    if form not in FORMATS:
        raise UsageError(f"data.format {form!r} is unknown: choose from {', '.join(FORMATS)}")
    return FORMATS[form](path, config)


def recognise(path: Path) -> str:
    """The name of the format at `path`, a file or a folder.

    Raises:
        DataError: nothing, or more than one thing, is recognised; the message names the formats.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        if file.name == "u.data":
            return "ml-100k"
        if file.name.endswith("ratings.dat"):
            return "movietweetings" if _has_imdb_ids(file) else "ml-1m"
        if file.name == "ratings.csv" and _first_line(file).startswith("userId,movieId,rating"):
            return "ml-latest"
    if path.is_dir():
        files = interaction_files(path)
    forms = {form for file in files if (form := format_of(file))}
    if len(forms) == 1:
        return forms.pop()
    known = ", ".join(FORMATS)
    if path.is_file():
        Content.read(path)  # what is wrong with how it is packed is said first
        raise DataError(f"{path}: its format is not recognised; give one with --format: {known}")
    found = listed([file.name for file in files]) or "nothing"
    if not forms:
        raise DataError(f"{path}: no data set is recognised, found {found}; give a file, and its --format: {known}")
    raise DataError(f"{path}: more than one data set, found {found}; name the file, or a --format: {known}")


def _has_imdb_ids(ratings: Path) -> bool:
    """MovieTweetings numbers films as IMDb does, with seven digits or more; MovieLens never needs so many."""
    fields = _first_line(ratings).split("::")
    return len(fields) > 1 and len(fields[1]) >= 7


def _first_line(path: Path) -> str:
    return starts_as(path).split(b"\n", 1)[0].decode("latin-1").rstrip("\r")
