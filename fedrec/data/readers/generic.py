"""CSV, TSV, Parquet and JSONL with named columns, and the item file that may lie beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fedrec.config import DataConfig
from fedrec.data.readers.columnar import JsonLines, Parquet
from fedrec.data.readers.columns import find_columns, missing_column
from fedrec.data.readers.delimited import Delimited, Style
from fedrec.data.readers.sheet import RawTable, Sheet
from fedrec.data.readers.source import Source
from fedrec.errors import DataError

SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_ITEM_FILES = ("items", "item", "movies", "catalogue")
_ROLES = ("user", "item", "rating", "label", "time", "title", "split", "client")


def format_of(path: Path) -> str | None:
    """The generic format that the file's name tells ("x.csv.gz" → "csv"), or None."""
    return SUFFIXES.get(path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix)


def open_sheet(path: Path, form: str) -> Sheet:
    """The file as a sheet with named columns."""
    if form == "parquet":
        return Parquet.open(path)
    if form == "jsonl":
        return JsonLines.open(path)
    return Delimited.open(path, Style(",", quoted=True) if form == "csv" else Style("\t"))


def read_generic(path: Path, form: str, config: DataConfig) -> Source:
    """A generic file, or the one interactions file of a folder.

    Raises:
        DataError: no such file, several candidates, or a missing column.
    """
    file = path if path.is_file() else _interactions_file(path, form)
    sheet = open_sheet(file, form)
    columns = find_columns(file, sheet.names, config.columns, _ROLES)
    for role in ("user", "item"):
        if role not in columns:
            raise missing_column(file, role, sheet.names)
    if "rating" not in columns and "label" not in columns:
        raise missing_column(file, "rating or label", sheet.names)
    items = _items_beside(file, config)
    if items is None and "title" not in columns:
        raise missing_column(file, "title", sheet.names)
    name = path.name if path.is_dir() else _stem(file)
    return Source(name, form, sheet.take(columns), items)


def interaction_files(folder: Path) -> list[Path]:
    """The files of a generic format that are not item files by their name."""
    return [file for file in sorted(folder.iterdir()) if format_of(file) and _stem(file) not in _ITEM_FILES]


def _interactions_file(folder: Path, form: str) -> Path:
    files = [file for file in interaction_files(folder) if format_of(file) == form]
    if len(files) == 1:
        return files[0]
    found = ", ".join(file.name for file in files[:6]) or "none"
    raise DataError(f"{folder}: one {form} file of interactions is expected, found {found}; name the file itself")


def _items_beside(file: Path, config: DataConfig) -> RawTable | None:
    """The item file in the same folder; a CSV or TSV of two columns without known names has no header: id, title."""
    for path in sorted(file.parent.iterdir()):
        form = format_of(path)
        if form is None or _stem(path) not in _ITEM_FILES or path == file:
            continue
        sheet = open_sheet(path, form)
        options = {role: name for role, name in config.columns.items() if name in sheet.names}
        columns = find_columns(path, sheet.names, options, ("item", "title"))
        if len(columns) == 2:
            return sheet.take(columns)
        if isinstance(sheet, Delimited) and not columns and len(sheet.names) == 2:
            return replace(sheet, style=replace(sheet.style, header=False)).take({"item": 0, "title": 1})
        raise missing_column(path, "title" if "item" in columns else "item", sheet.names)
    return None


def _stem(path: Path) -> str:
    return path.name.split(".")[0]
