"""JSON lines as a `Sheet`: one object a line; a missing key or null is a missing value."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from fedrec.data.readers.content import Content
from fedrec.data.readers.sheet import Column, RawTable, first_lines, is_whole, quote
from fedrec.errors import DataError

_SAMPLE, _SPREAD = 200, 2000


@dataclass(frozen=True)
class JsonLines:
    """The content of a JSON lines file, and the keys of its objects."""

    path: Path
    names: list[str]
    data: bytes

    @classmethod
    def open(cls, content: Content, encoding: str | None) -> JsonLines:
        """The content, by default in UTF-8 or UTF-16; a DataError where none of the lines looked at is an object."""
        data = content.text((encoding or "utf-8",)).removesuffix(b"\n")
        names: dict[str, None] = {}
        first = None
        for number, line in enumerate(_some_lines(data), 1):
            row = _row(line)
            if isinstance(row, dict):
                names.update(dict.fromkeys(_keys(row)))
            elif first is None and number <= _SAMPLE:
                first = f"line {number}: {row}"
        if not names:
            raise DataError(f"{content.path} {first or 'line 1: an empty object'}; JSONL is one object a line")
        return cls(content.path, list(names), data)

    def take(self, columns: Mapping[str, int]) -> RawTable:
        keys = [self.names[i] for i in dict.fromkeys(columns.values())]
        table = _parsed_at_once(self.data, keys)
        if table is None:
            return self._taken_apart(columns, keys)
        return self._table(columns, table, np.arange(1, len(table) + 1), {})

    def beginning(self) -> JsonLines:
        return replace(self, data=first_lines(self.data))

    def _taken_apart(self, columns: Mapping[str, int], keys: list[str]) -> RawTable:
        """The same line by line: finds the faults, and takes values of more than one type in a column."""
        texts: dict[str, list[str]] = {key: [] for key in keys}
        records, broken = [], {}
        for number, line in enumerate(self.data.split(b"\n"), 1):
            row = _row(line)
            values = {key: _value(row, key) for key in keys} if isinstance(row, dict) else {}
            if isinstance(row, str):
                broken[number] = row
            elif nested := [key for key in keys if isinstance(values[key], dict | list)]:
                broken[number] = f"{nested[0]} is {quote(json.dumps(values[nested[0]]))}, not one text or number"
            else:
                records.append(number)
                for key in keys:
                    texts[key].append(_text(values[key]))
        table = pa.table({key: pa.array(of, pa.string()) for key, of in texts.items()})
        return self._table(columns, table, np.array(records, np.int64), broken)

    def _table(
        self, columns: Mapping[str, int], table: pa.Table, record: np.ndarray, broken: dict[int, str]
    ) -> RawTable:
        found = {role: Column.of(role, table[self.names[i]]) for role, i in columns.items()}
        return RawTable(self.path, found, record, "line {}".format, broken)


def _some_lines(data: bytes) -> Iterator[bytes]:
    """The first lines, and lines from all over the file: a key may be missing for long."""
    lines = io.BytesIO(data)
    yield from islice(lines, _SAMPLE)
    for part in range(1, _SPREAD + 1):
        lines.seek(data.rfind(b"\n", 0, part * len(data) // _SPREAD) + 1)
        yield lines.readline()


def _row(line: bytes) -> dict[str, Any] | str:
    """The object in a line, or what is wrong with the line."""
    try:
        row = json.loads(line.removesuffix(b"\n"))
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg} at column {error.colno})"
    except RecursionError:
        return "nested too deeply"
    return row if isinstance(row, dict) else f"{quote(row)} is no JSON object"


def _keys(row: dict[str, Any]) -> Iterator[str]:
    """The keys of an object, and those of the objects in it with a dot between: `user.id`."""
    for key, value in row.items():
        yield from [f"{key}.{inner}" for inner in value] if isinstance(value, dict) and value else [key]


def _value(row: dict[str, Any], key: str) -> Any:
    """What stands under a key of `_keys`; None where it is missing."""
    if key in row or "." not in key:
        return row.get(key)
    outer, _, inner = key.partition(".")
    within = row.get(outer)
    return within.get(inner) if isinstance(within, dict) else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # 1.0 and 1 are one number in JSON, so one id
    if not isinstance(value, str):
        return json.dumps(value)
    return value.encode("utf-8", "replace").decode()  # JSON can spell half a surrogate pair; UTF-8 cannot


def _parsed_at_once(data: bytes, keys: list[str]) -> pa.Table | None:
    """The columns where every line is sound and each of them has the type of its first value; else None."""
    head = _row(data.partition(b"\n")[0])
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if not isinstance(head, dict) or any(type(head.get(key)) not in types for key in keys):
        return None
    try:
        table = arrow_json.read_json(
            pa.BufferReader(data),
            read_options=arrow_json.ReadOptions(block_size=1 << 24),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=pa.schema([(key, types[type(head[key])]) for key in keys]),
                unexpected_field_behavior="ignore",
            ),
        )
        if len(table) != data.count(b"\n") + 1:
            return None
        return pa.table({key: _spelt(table[key]) for key in keys})
    except pa.ArrowException:
        return None


def _spelt(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as JSON spells them; whole ones without a fraction."""
    if pa.types.is_floating(column.type):
        if not is_whole(column):
            if pc.max(pc.abs(column)).as_py() >= 2.0**53:
                raise pa.ArrowInvalid("it may have been an integer")
            spelt = [_text(value) for value in column.unique().to_pylist()]
            index = pc.index_in(column, column.unique())
            return pa.chunked_array([pa.array(spelt, pa.string()).take(index.combine_chunks())])
        column = pc.cast(column, pa.int64())
    return pc.fill_null(column.cast(pa.string()), "")
