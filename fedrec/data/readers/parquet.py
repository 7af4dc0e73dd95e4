"""Parquet as a `Sheet`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fedrec.data.readers.content import Content
from fedrec.data.readers.sheet import Column, RawTable, is_whole, quote
from fedrec.errors import DataError


@dataclass(frozen=True)
class Parquet:
    """A Parquet file, or the unpacked content of one."""

    path: Path
    names: list[str]
    source: Any
    most: int | None = None  # rows

    @classmethod
    def open(cls, path: Path, content: Content | None = None) -> Parquet:
        """The file, or the content of a packed one."""
        source = path if content is None else pa.BufferReader(content.data)
        try:
            return cls(path, list(pq.read_schema(source).names), source)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0][:80]})") from None

    def take(self, columns: Mapping[str, int]) -> RawTable:
        wanted = [self.names[i] for i in dict.fromkeys(columns.values())]
        try:
            file = pq.ParquetFile(self.source)
            table = file.read(columns=wanted) if self.most is None else self._first(file, wanted, self.most)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.path}: broken ({str(error).splitlines()[0][:80]}); write it again") from None
        found = {
            role: Column.of(role, self._text(role, self.names[i], table[self.names[i]])) for role, i in columns.items()
        }
        record = np.arange(1, len(table) + 1)
        return RawTable(self.path, found, record, "row {}".format)

    def beginning(self) -> Parquet:
        return replace(self, most=1000)

    def _first(self, file: pq.ParquetFile, wanted: list[str], most: int) -> pa.Table:
        batches = file.iter_batches(most, columns=wanted)
        return pa.Table.from_batches(islice(batches, 1), pa.schema([file.schema_arrow.field(name) for name in wanted]))

    def _text(self, role: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = column.type
        try:
            if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
                column = pc.cast(column, pa.timestamp("s"), safe=False).cast(pa.int64())
            elif pa.types.is_floating(kind) and is_whole(column):
                column = pc.cast(column, pa.int64())  # whole numbers are floats where a row had none
            return pc.fill_null(column.cast(pa.string()), "")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            raise DataError(
                f"{self.path}: column {quote(name)} has type {kind}, which is no text or number;"
                f" name another column with --set data.columns.{role}=NAME"
            ) from None
