"""Parquet and JSON lines as a `Sheet`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fedrec.data.readers.delimited import read_bytes
from fedrec.data.readers.sheet import RawTable, quote
from fedrec.errors import DataError


@dataclass(frozen=True)
class Parquet:
    """A Parquet file."""

    path: Path
    names: list[str]

    @classmethod
    def open(cls, path: Path) -> Parquet:
        try:
            return cls(path, list(pq.read_schema(path).names))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0][:80]})") from None

    def take(self, columns: Mapping[str, int]) -> RawTable:
        table = pq.read_table(self.path, columns=[self.names[i] for i in dict.fromkeys(columns.values())])
        if len(table) == 0:
            raise DataError(f"{self.path}: the file has no rows")
        texts = {role: self._text(self.names[i], table[self.names[i]]) for role, i in columns.items()}
        return RawTable(self.path, pa.table(texts).to_pandas(), np.arange(1, len(table) + 1), "row {}".format)

    def _text(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = column.type
        try:
            if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
                column = pc.cast(column, pa.timestamp("s"), safe=False).cast(pa.int64())
            return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            raise DataError(f"{self.path}: column {quote(name)} has type {kind}, which is no text or number") from None


@dataclass(frozen=True)
class JsonLines:
    """One JSON object a line; a missing key or null is a missing value."""

    path: Path
    names: list[str]
    rows: list[dict[str, Any]]
    records: list[int]
    broken: dict[int, str]

    @classmethod
    def open(cls, path: Path) -> JsonLines:
        rows, records, broken = [], [], {}
        names: dict[str, None] = {}
        for number, line in enumerate(read_bytes(path).split(b"\n"), 1):
            try:
                row = json.loads(line)
            except UnicodeDecodeError as error:
                broken[number] = f"byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line is not UTF-8"
                continue
            except json.JSONDecodeError as error:
                broken[number] = f"not JSON ({error.msg} at column {error.colno})"
                continue
            if not isinstance(row, dict):
                broken[number] = f"{quote(row)} is no JSON object"
                continue
            rows.append(row)
            records.append(number)
            names.update(dict.fromkeys(row))
        if not rows:
            number, fault = next(iter(broken.items()))
            raise DataError(f"{path} line {number}: {fault}; JSONL is one object a line")
        return cls(path, list(names), rows, records, broken)

    def take(self, columns: Mapping[str, int]) -> RawTable:
        texts = {role: [_json_text(row.get(self.names[i])) for row in self.rows] for role, i in columns.items()}
        frame = pd.DataFrame(texts, dtype="str")
        return RawTable(self.path, frame, np.array(self.records, np.int64), "line {}".format, self.broken)


def _json_text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value)
    return value.encode("utf-8", "replace").decode().strip()  # JSON can spell half a surrogate pair; UTF-8 cannot
