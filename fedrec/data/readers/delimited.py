"""Delimited text (CSV, TSV, `|`, `::`), plain or gzip, as a `Sheet`: decoded, ragged rows found, all columns text."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from fedrec.data.readers.sheet import RawTable
from fedrec.errors import DataError

_UNIT = b"\x1f"  # stands for a separator of several characters, which the parser does not know


@dataclass(frozen=True)
class Style:
    """How fields are set apart.

    Attributes:
        separator: one or more characters.
        quoted: whether "..." may hold separators and newlines (CSV); elsewhere a quote is a character like others.
        encodings: tried in this order.
        header: whether the first record names the columns.
    """

    separator: str
    quoted: bool = False
    encodings: tuple[str, ...] = ("utf-8",)
    header: bool = True


@dataclass(frozen=True)
class Delimited:
    """A delimited text file: `data` is its content as UTF-8 bytes, with a separator of one byte."""

    path: Path
    style: Style
    data: bytes

    @classmethod
    def open(cls, path: Path, style: Style) -> Delimited:
        """Reads and decodes the file.

        Raises:
            DataError: it is empty, unreadable, or in none of the style's encodings.
        """
        data = _decoded(read_bytes(path), path, style.encodings)
        if len(style.separator) > 1:
            data = data.replace(style.separator.encode(), _UNIT)
        return cls(path, style, data)

    @cached_property
    def fields(self) -> list[str]:
        """The fields of the first record."""
        text = io.StringIO(self.data.split(b"\n", 1)[0].decode())
        return [field.strip() for field in next(self._reader(text), [])]

    @property
    def names(self) -> list[str]:
        return self.fields if self.style.header else []

    def take(self, columns: Mapping[str, int]) -> RawTable:
        ragged: dict[int, str] = {}

        def note(row: arrow_csv.InvalidRow) -> str:
            ragged[row.number] = f"{row.actual_columns} fields where {row.expected_columns} are expected"
            return "skip"

        positions = [f"c{i}" for i in range(len(self.fields))]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(self.data),
                # One block in one thread: the parser numbers rows only then.
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, block_size=len(self.data) + 1, column_names=positions
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter, quote_char='"' if self.style.quoted else False,
                    newlines_in_values=self.style.quoted, ignore_empty_lines=False, invalid_row_handler=note,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=[f"c{i}" for i in dict.fromkeys(columns.values())],
                    column_types=dict.fromkeys(positions, pa.string()), strings_can_be_null=False,
                ),
            )  # fmt: skip
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.path}: {str(error).splitlines()[0]}") from None
        stripped = {role: pc.utf8_trim_whitespace(table[f"c{i}"]) for role, i in columns.items()}
        records = np.delete(np.arange(1, len(table) + len(ragged) + 1), np.array(list(ragged), np.int64) - 1)
        start = int(self.style.header)
        return RawTable(
            self.path, pa.table(stripped).slice(start).to_pandas(), records[start:], self._place, ragged
        )  # fmt: skip

    @property
    def _delimiter(self) -> str:
        return self.style.separator if len(self.style.separator) == 1 else _UNIT.decode()

    def _reader(self, text: io.StringIO):  # type: ignore[no-untyped-def]
        if self.style.quoted:
            return csv.reader(text, delimiter=self._delimiter)
        return csv.reader(text, delimiter=self._delimiter, quoting=csv.QUOTE_NONE)

    def _place(self, record: int) -> str:
        if not self.style.quoted:
            return f"line {record}"
        reader = self._reader(io.StringIO(self.data.decode(), newline=""))
        line = 1
        for _ in range(record - 1):  # a quoted field may hold newlines, so that records and lines differ
            next(reader, None)
            line = reader.line_num + 1
        return f"line {line}"


def read_bytes(path: Path) -> bytes:
    """The file's bytes, unpacked where the name ends in .gz, without byte order mark and closing newlines.

    Raises:
        DataError: no such file, not readable, broken gzip, or empty.
    """
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    data = data.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    if not data.strip():
        raise DataError(f"{path}: the file is empty")
    return data


def _decoded(data: bytes, path: Path, encodings: tuple[str, ...]) -> bytes:
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            fault = error
        else:
            return data if encoding == "utf-8" else text.encode()
    line = data.count(b"\n", 0, fault.start) + 1
    raise DataError(
        f"{path} line {line}: byte 0x{data[fault.start]:02x} at offset {fault.start} is not {fault.encoding.upper()};"
        f" convert the file, for example iconv -f latin1 -t utf-8"
    )
