"""Files with named columns (delimited text, Parquet, JSON lines), one or in parts, and the item file beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fedrec.data.readers.columns import find_columns, missing_columns
from fedrec.data.readers.content import Content, glimpse, is_packed
from fedrec.data.readers.delimited import Delimited
from fedrec.data.readers.jsonlines import JsonLines
from fedrec.data.readers.lines import Style
from fedrec.data.readers.parquet import Parquet
from fedrec.data.readers.parts import Parts, are_parts, data_files
from fedrec.data.readers.sheet import RawTable, Sheet, Source, listed
from fedrec.data.readers.time_column import with_times
from fedrec.data_settings import DataConfig
from fedrec.errors import DataError

SUFFIXES = {
    ".csv": "csv", ".txt": "csv", ".dat": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".inter": "recbole", ".item": "recbole",
}  # fmt: skip
_PREFERRED = {"csv": ",", "tsv": "\t", "recbole": "\t"}
_ITEM_FILES = ("items", "item", "movies", "catalogue")
_ROLES = ("user", "item", "rating", "label", "time", "title", "split", "client")
_SEPARATORS = {"tab": "\t", "space": " "}


def format_of(path: Path) -> str | None:
    """The generic format that the file's name tells ("x.csv.gz" → "csv"), else its content, or None."""
    name, start = glimpse(path)
    form = SUFFIXES.get(Path(name).suffix.casefold())
    if start.startswith(b"PAR1"):
        return "parquet"
    if form in (None, "csv") and start.lstrip().startswith(b"{"):
        return "jsonl"
    return form


def open_sheet(path: Path, form: str, config: DataConfig) -> Sheet:
    """The file, or the parts in a folder, as a sheet with named columns."""
    if path.is_dir():
        return _opened_folder(path, form, config)
    if form == "parquet" and not is_packed(path):
        return Parquet.open(path)
    content = Content.read(path)
    if form == "parquet":
        return Parquet.open(path, content)
    if form == "jsonl":
        return JsonLines.open(content, config.encoding)
    separator = _SEPARATORS.get(config.separator or "", config.separator or _PREFERRED[form])
    style = Style.usual(separator, (config.encoding or "utf-8",))
    return Delimited.open(content, style, found=config.separator is None)


def read_generic(path: Path, config: DataConfig, form: str) -> Source:
    """A generic file or the interactions of a folder, with the items named by `data.items.path` or lying beside."""
    sheet = open_sheet(path, form, config)
    columns = find_columns(sheet.path, sheet.names, config.columns, _ROLES)
    missing = [role for role in ("user", "item") if role not in columns]
    if "rating" not in columns and "label" not in columns:
        missing.append("rating or label")
    items = _items(sheet.path, config)
    if items is None and "title" not in columns:
        missing.append("title")
    if missing:
        raise missing_columns(sheet.path, missing, sheet.names)
    name = path.name if path.is_dir() else _stem(sheet.path)
    if "time" in columns or "time" in config.columns:
        table, guessed = sheet.take(columns), None
    else:
        table, guessed = with_times(sheet, columns, config.time_unit)
    if guessed is not None:
        columns["time"] = sheet.names.index(guessed)
    read_as = {role: sheet.names[place] for role, place in columns.items()}
    unused = tuple(name for place, name in enumerate(sheet.names) if place not in columns.values())
    return Source(name, form, table, items, read_as=read_as, unused=unused, guessed=guessed)


def interaction_files(folder: Path) -> list[Path]:
    """The files of a generic format in the folder, or in its partitions, that are not item files by their name."""
    return [file for file in data_files(folder) if format_of(file) and not _is_item_file(file)]


def _opened_folder(folder: Path, form: str, config: DataConfig) -> Sheet:
    files = [file for file in interaction_files(folder) if format_of(file) == form]
    if len(files) == 1 and files[0].parent == folder:
        return open_sheet(files[0], form, config)
    if are_parts(folder, files):
        return Parts.open(folder, files, lambda file: open_sheet(file, form, config))
    found = listed([file.name for file in files]) or "none"
    raise DataError(
        f"{folder}: one {form} file of interactions is expected, found {found}; name the one file itself, or, where"
        " they are parts of one table, give them names that differ by number: part-1, part-2"
    )


def items_of(path: Path, config: DataConfig) -> RawTable:
    """Ids and titles of a file of items."""
    if not path.exists():
        raise DataError(f"--items {path}: no such file or folder")
    return _taken_items(open_sheet(path, _form_of_items(path), config), config)


def _items(file: Path, config: DataConfig) -> RawTable | None:
    """The titles: of the item file that is named, else of one in the same folder."""
    if config.items.path is not None:
        return items_of(Path(config.items.path), config)
    folder = file if file.is_dir() else file.parent
    for path in sorted(folder.iterdir()):
        if path == file or not path.is_file() or not _is_item_file(path):
            continue
        if path.suffix == ".item" and file.is_file() and _stem(path) != _stem(file):
            continue
        if form := format_of(path):
            return _taken_items(open_sheet(path, form, config), config)
    return None


def _taken_items(sheet: Sheet, config: DataConfig) -> RawTable:
    """Ids and titles, by `data.items.columns`, else by `data.columns` where the file has such a column.

    Delimited text of two columns without known names has no header: id, title.
    """
    known = {role: name for role, name in config.columns.items() if name in sheet.names and role in ("item", "title")}
    columns = find_columns(
        sheet.path, sheet.names, known | dict(config.items.columns), ("item", "title"), "data.items.columns"
    )
    if len(columns) == 2:
        return sheet.take(columns)
    if isinstance(sheet, Delimited) and not columns and len(sheet.names) == 2:
        return replace(sheet, style=replace(sheet.style, header=False)).take({"item": 0, "title": 1})
    missing = [role for role in ("item", "title") if role not in columns]
    raise missing_columns(sheet.path, missing, sheet.names, "data.items.columns")


def _form_of_items(path: Path) -> str:
    files = data_files(path) if path.is_dir() else [path]
    forms = {format_of(file) for file in files} - {None}
    if len(forms) != 1:
        raise DataError(f"--items {path}: its format is not recognised; name a file .csv, .tsv, .jsonl or .parquet")
    return str(forms.pop())


def _is_item_file(path: Path) -> bool:
    return _stem(path) in _ITEM_FILES or path.suffix == ".item"


def _stem(path: Path) -> str:
    return path.name.split(".")[0]
