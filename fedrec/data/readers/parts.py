"""One table in many files of a folder, as Spark and Hive write it (`part-00000.parquet`, `day=3/part-00000.csv`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from fedrec.data.readers.sheet import Column, RawTable, Sheet, listed, quote
from fedrec.errors import DataError

_PARTITION = re.compile(r"([^=]+)=(.*)")
_NONE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Parts:
    """Files that are one table, with the same columns, and one more for each folder `column=value` above them."""

    path: Path
    sheets: tuple[Sheet, ...]

    @classmethod
    def open(cls, folder: Path, files: list[Path], opened: Callable[[Path], Sheet]) -> Parts:
        """The files, of which empty ones hold no rows; all others must have the same columns."""
        sheets = tuple(opened(file) for file in files if file.stat().st_size)
        if not sheets:
            raise DataError(f"{folder}: all its {len(files)} parts are empty")
        parts = cls(folder, sheets)
        for sheet in sheets:
            if set(parts._names_of(sheet)) != set(parts.names):
                missing = sorted(set(parts.names) ^ set(parts._names_of(sheet)))
                raise DataError(
                    f"{folder}: {_below(folder, sheet.path)} and {_below(folder, sheets[0].path)} do not have the same"
                    f" columns ({listed([quote(name) for name in missing])}); move what is no part elsewhere"
                )
        return parts

    @cached_property
    def names(self) -> list[str]:
        return self._names_of(self.sheets[0])

    def take(self, columns: Mapping[str, int]) -> RawTable:
        tables = [self._taken(sheet, {role: self.names[i] for role, i in columns.items()}) for sheet in self.sheets]
        last = [max([0, *table.record[-1:].tolist(), *table.broken]) for table in tables]
        start = np.concatenate([[0], np.cumsum(last)])

        def place(record: int) -> str:
            part = int(np.searchsorted(start, record)) - 1
            return f"{_below(self.path, tables[part].path)} {tables[part].place(record - int(start[part]))}"

        together = {
            role: Column.of(role, pa.chunked_array([_dictionary(table.columns[role]) for table in tables]))
            for role in columns
        }
        above = list(zip(tables, start.tolist(), strict=False))
        record = np.concatenate([table.record + first for table, first in above])
        broken = {first + at: fault for table, first in above for at, fault in table.broken.items()}
        return RawTable(self.path, together, record, place, broken)

    def beginning(self) -> Parts:
        return Parts(self.path, (self.sheets[0].beginning(),))

    def _names_of(self, sheet: Sheet) -> list[str]:
        return [*sheet.names, *(name for name in self._partition(sheet) if name not in sheet.names)]

    def _partition(self, sheet: Sheet) -> dict[str, str]:
        """Column → value, of the folders between the table's and the file."""
        found = [_PARTITION.fullmatch(part) for part in sheet.path.relative_to(self.path).parts[:-1]]
        values = {unquote(match[1]): unquote(match[2]) for match in found if match}
        return {name: "" if value == _NONE else value for name, value in values.items()}

    def _taken(self, sheet: Sheet, names: Mapping[str, str]) -> RawTable:
        inside = {role: sheet.names.index(name) for role, name in names.items() if name in sheet.names}
        table = sheet.take(inside or {"": 0})
        outside = {
            role: Column(np.zeros(len(table), np.int32), pa.array([self._partition(sheet)[name].strip()]))
            for role, name in names.items()
            if role not in inside
        }
        return RawTable(table.path, {**table.columns, **outside}, table.record, table.place, table.broken)


def data_files(folder: Path) -> list[Path]:
    """The files of a folder and of its `column=value` folders, in order, without those that only tell of others."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.is_dir():
            found += data_files(path) if _PARTITION.fullmatch(path.name) else []
        else:
            found.append(path)
    return found


def are_parts(folder: Path, files: list[Path]) -> bool:
    """Whether the files are told apart by numbers or partitions only, not by names that mean something."""
    several = len(files) > 1 or any(file.parent != folder for file in files)
    return several and len({_plain(file.name) for file in files}) == 1


def _plain(name: str) -> str:
    """A file's name without the numbers and long random marks in it."""
    return re.sub(r"\d+", "0", re.sub(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", "0", name))


def _dictionary(column: Column) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(column.codes), column.values)


def _below(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder))
