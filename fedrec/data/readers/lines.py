"""Lines of delimited text: how fields are set apart, which lines hold whole fields, and finding the separator.

A record is one line. A quote opens a field only at its start, and closes it on the same line, right before a separator
or the line's end; so an unclosed quote spoils its own line and no other, and the lines of a file can be counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

UNIT = "\x1f"  # stands for a separator of several characters, which the parser does not know
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_SAMPLE, _ALIKE = 50, 0.8
_SEPARATORS = ("\t", ";", "|", "::", ",", " ")  # a text that holds one of the first is seldom set apart by a later one
_UNQUOTED = ("\t", "::", " ")


@dataclass(frozen=True)
class Style:
    """How fields are set apart.

    Attributes:
        separator: one or more characters; a space stands for any number of them.
        quoted: whether "..." may hold separators; else a quote is a character like others.
        encodings: tried in this order.
        header: whether the first record names the columns.
    """

    separator: str
    quoted: bool = False
    encodings: tuple[str, ...] = ("utf-8",)
    header: bool = True

    @classmethod
    def usual(cls, separator: str, encodings: tuple[str, ...] = ("utf-8",)) -> Style:
        """With a header, and quotes except where tabs, `::` or spaces set fields apart."""
        return cls(separator, separator not in _UNQUOTED, encodings)

    @property
    def delimiter(self) -> str:
        """The one character that sets fields apart in text prepared by `prepared`."""
        return self.separator if len(self.separator) == 1 else UNIT

    def prepared(self, data: bytes) -> bytes:
        """The text with one delimiter of one byte between fields."""
        if self.separator == " ":
            return re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" +", b" ", data))
        if len(self.separator) > 1:
            return data.replace(self.separator.encode(), UNIT.encode())
        return data

    def fields(self, line: str) -> list[str] | None:
        """The fields of a prepared line, or None where a quote is not closed as it must be."""
        if not self.quoted:
            return [field.strip() for field in line.split(self.delimiter)]
        if not self._whole.fullmatch(line):
            return None
        spelt = [match[0].removesuffix(self.delimiter) for match in self._field.finditer(line + self.delimiter)]
        return [(field[1:-1].replace('""', '"') if field.startswith('"') else field).strip() for field in spelt]

    def is_whole(self, line: bytes) -> bool:
        return self._whole.fullmatch(line.decode()) is not None

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        mark = re.escape(self.delimiter)
        field = rf'(?:"(?:[^"]|"")*+"|[^"{mark}][^{mark}]*+|)'
        return re.compile(rf"{field}(?:{mark}{field})*+")

    @cached_property
    def _field(self) -> re.Pattern[str]:
        mark = re.escape(self.delimiter)
        return re.compile(rf'(?:"(?:[^"]|"")*+"|[^{mark}]*+){mark}')


def found_style(data: bytes, preferred: str) -> Style:
    """The style whose separator takes most of the first lines apart into as many fields as the header has.

    Args:
        data: decoded text.
        preferred: the separator that the file's name tells, tried first.
    """
    start = data[: 1 << 16] if len(data) > 1 << 16 else data.removesuffix(b"\n")
    lines = start.split(b"\n")[:_SAMPLE]
    sample = [line.decode("utf-8", "replace") for line in (lines[:-1] if len(lines) < _SAMPLE else lines) or lines]
    sample = [line for line in sample if line] or [""]
    shares = {}
    for separator in dict.fromkeys((preferred, *_SEPARATORS)):
        style = Style.usual(separator)
        counts = [len(style.fields(style.prepared(line.encode()).decode()) or ()) for line in sample]
        if counts[0] < 2:
            continue
        shares[separator] = sum(count == counts[0] for count in counts) / len(counts)
        if shares[separator] >= _ALIKE:
            return style
    return Style.usual(max(shares, key=lambda separator: shares[separator], default=preferred))


def broken_quotes(data: bytes, style: Style) -> NDArray[np.int64]:
    """The lines (from 0) of prepared text that hold a quote where it cannot be.

    Quotes at which every field they open is closed are told by their neighbours, all at once; the few lines with other
    ones, such as doubled quotes, are looked at one by one.
    """
    if not style.quoted or b'"' not in data:
        return np.empty(0, np.int64)
    marks = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(marks == _QUOTE)
    ends = np.append(np.flatnonzero(marks == _NEWLINE), len(marks))
    line = np.searchsorted(ends, at)
    first = np.searchsorted(line, line)  # position among the quotes of the first one of the same line
    opens = (np.arange(len(at)) - first) % 2 == 0
    borders = np.array([ord(style.delimiter), _NEWLINE], np.uint8)
    before = np.isin(np.where(at > 0, marks[at - 1], _NEWLINE), borders)
    after = np.isin(np.where(at + 1 < len(marks), marks[np.minimum(at + 1, len(marks) - 1)], _NEWLINE), borders)
    last = np.append(line[1:] != line[:-1], True)
    plain = np.where(opens, before & ~last, after)
    suspects = np.unique(line[~plain])
    starts = np.concatenate([[0], ends[:-1] + 1])
    return np.array([i for i in suspects if not style.is_whole(data[starts[i] : ends[i]])], np.int64)
