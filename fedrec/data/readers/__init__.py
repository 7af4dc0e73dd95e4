"""Readers: files of many formats become one `Dataset`, or one line that names the fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fedrec.data.dataset import Dataset
from fedrec.data.readers.assemble import assemble
from fedrec.data.readers.content import Content, glimpse
from fedrec.data.readers.generic import format_of, interaction_files, read_generic
from fedrec.data.readers.movielens import HEADLESS, read_ml_latest
from fedrec.data.readers.sheet import Source, listed
from fedrec.data_settings import DataConfig
from fedrec.errors import DataError, UsageError

Reader = Callable[[Path, DataConfig], Source]


FORMATS: dict[str, Reader] = {
    **{reader.name: reader for reader in HEADLESS},
    "ml-latest": read_ml_latest,
    **{form: partial(read_generic, form=form) for form in ("csv", "tsv", "parquet", "jsonl", "recbole")},
}


def read(config: DataConfig) -> Dataset:
    """The data set at `config.path`, which must be given; all rows are train where the source has no split column.

    Raises:
        DataError: what is wrong with which line of which file, and the mend.
        UsageError: an unknown format or column role.
    """
    path = Path(str(config.path))
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; name a file or folder of interactions")
    form = config.format or _recognised(path)
    if form not in FORMATS:
        raise UsageError(f"data.format {form!r} is unknown: choose from {', '.join(FORMATS)}")
    return assemble(FORMATS[form](path, config), config)


def _recognised(path: Path) -> str:
    forms = _forms(path)
    if len(forms) == 1:
        return forms.pop()
    known = ", ".join(FORMATS)
    if path.is_file():
        Content.read(path)  # what is wrong with how it is packed is said first
        raise DataError(f"{path}: its format is not recognised; give one with --format: {known}")
    if forms:
        found = listed([file.name for file in interaction_files(path)])
        raise DataError(f"{path}: more than one data set, found {found}; name the file, or a --format: {known}")
    if within := [str(folder) for folder in sorted(path.iterdir()) if folder.is_dir() and _forms(folder)]:
        raise DataError(f"{path}: no data set right in it, but in a folder of it; give one: {listed(within)}")
    raise DataError(f"{path}: no data set is recognised, found nothing; give a file, and its --format: {known}")


def _forms(path: Path) -> set[str]:
    """The formats found there: one with files of fixed names counts alone."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        first = partial(_first_line, file)
        if file.name == "u.data":
            return {"ml-100k"}
        if file.name.endswith("ratings.dat"):
            # IMDb, and so MovieTweetings, numbers films with seven digits or more
            return {"movietweetings" if re.match("[^:]+::[^:]{7}", first()) else "ml-1m"}
        if file.name == "ratings.csv" and first().startswith("userId,movieId,rating"):
            return {"ml-latest"}
    return {form for file in (interaction_files(path) if path.is_dir() else [path]) if (form := format_of(file))}


def _first_line(path: Path) -> str:
    return glimpse(path)[1].split(b"\n", 1)[0].decode("latin-1")
