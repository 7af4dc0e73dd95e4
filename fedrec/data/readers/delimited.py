"""Delimited text as a `Sheet`: a record a line, the lines that are none found, all columns text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from fedrec.data.readers.content import Content
from fedrec.data.readers.lines import Style, broken_quotes, found_style
from fedrec.data.readers.sheet import Column, RawTable, first_lines
from fedrec.errors import DataError

_PIECE = 1 << 22  # bytes parsed at a time: as many as a processor keeps near
_TYPED = re.compile(r":(?:token|float)(?:_seq)?$")  # RecBole's headers tell each column's type
_UNCLOSED = "a quote is not closed where its field ends (a record is one line)"


@dataclass(frozen=True)
class Delimited:
    """A delimited text file: `data` is its content prepared for its style."""

    path: Path
    style: Style
    data: bytes

    @classmethod
    def open(cls, content: Content, style: Style, found: bool = False) -> Delimited:
        """The content in one of the style's encodings, set apart as it says or as is `found` in it."""
        text = content.text(style.encodings)
        if found:
            style = replace(found_style(text, style.separator), encodings=style.encodings)
        return cls(content.path, style, style.prepared(text))

    @cached_property
    def fields(self) -> list[str]:
        """Of the first line."""
        fields = self.style.fields(self.data[: self._first_end].decode())
        if fields is None:
            raise DataError(f"{self.path} line 1: {_UNCLOSED}; mend it")
        return fields

    @property
    def names(self) -> list[str]:
        return [_TYPED.sub("", field) for field in self.fields] if self.style.header else []

    def take(self, columns: Mapping[str, int]) -> RawTable:
        broken: dict[int, str] = {}
        tables = [pa.Table.from_batches([], pa.schema({f"c{i}": pa.string() for i in columns.values()}))]
        first = start = 1 + int(self.style.header)
        for piece in self._pieces():
            table, faults = self._parsed(piece, columns)
            broken |= {first + line: fault for line, fault in faults.items()}
            tables.append(table)
            first += len(table) + len(faults)
        whole, record = pa.concat_tables(tables), np.arange(start, first)
        found = {role: Column.of(role, whole[f"c{i}"]) for role, i in columns.items()}
        record = np.delete(record, [line - start for line in broken]) if broken else record
        return RawTable(self.path, found, record, "line {}".format, broken)

    def beginning(self) -> Delimited:
        return replace(self, data=first_lines(self.data))

    @property
    def _first_end(self) -> int:
        end = self.data.find(b"\n")
        return len(self.data) if end < 0 else end

    def _pieces(self) -> Iterator[bytes]:
        """The lines below the header, as many whole ones at a time as are parsed together."""
        start = self._first_end + 1 if self.style.header else 0
        while start < len(self.data):
            end = self.data.find(b"\n", start + _PIECE)
            end = len(self.data) - self.data.endswith(b"\n") if end < 0 else end
            yield self.data[start:end]
            start = end + 1

    def _parsed(self, piece: bytes, columns: Mapping[str, int]) -> tuple[pa.Table, dict[int, str]]:
        """The columns of the sound lines, and what is wrong with each other one, by its place."""
        faults: dict[int, str] = {}

        def note(row: arrow_csv.InvalidRow) -> str:
            faults[row.number - 1] = f"{row.actual_columns} fields where {row.expected_columns} are expected"
            return "skip"

        unclosed = broken_quotes(piece, self.style).tolist()
        if unclosed:
            lines = piece.split(b"\n")
            for line in unclosed:
                lines[line] = self.style.delimiter.encode() * len(self.fields)  # one field too many
            piece = b"\n".join(lines)
        positions = [f"c{i}" for i in range(len(self.fields))]
        wanted = {f"c{i}": pa.string() for i in columns.values()}
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(piece + b"\n"),
                # One block in one thread: the parser numbers rows only then.
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, block_size=len(piece) + 2, column_names=positions
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.style.delimiter, quote_char='"' if self.style.quoted else False,
                    newlines_in_values=False, ignore_empty_lines=False, invalid_row_handler=note,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(wanted), column_types=wanted, strings_can_be_null=False, check_utf8=False,
                ),
            )  # fmt: skip
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.path}: {str(error).splitlines()[0]}") from None
        return table, faults | dict.fromkeys(unclosed, _UNCLOSED)
