"""How numbers and names are spelled for people, on pages, terminals and letters; a dash where one is unknown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from math import isnan
from typing import Any

MISSING = "–"


def number(value: float | None, digits: int = 4) -> str:
    """A metric with fixed digits; a dash where there is none, or it is NaN."""
    return MISSING if value is None or isnan(value) else f"{value:.{digits}f}"


def apart(values: Sequence[float], digits: int = 3, most: int = 9) -> list[str]:
    """Numbers with as few digits as tell different ones apart, `digits` at least and `most` at most."""
    while digits < most and len({number(value, digits) for value in values}) < len({*values}):
        digits += 1
    return [number(value, digits) for value in values]


def count(value: int | None) -> str:
    """A number of things, in groups of three digits."""
    return MISSING if value is None else f"{value:,}".replace(",", "\u202f")


def rounded(value: float | None) -> str:
    """A mean number of things."""
    return count(None if value is None else round(value))


def signed(value: float | None) -> str:
    return MISSING if value is None else f"{value:+.4f}"


def milliseconds(seconds: float | None) -> str:
    return number(None if seconds is None else 1000 * seconds, 1)


def change(before: float | None, after: float | None) -> str:
    """The signed difference, or nothing where either side is missing."""
    return "" if before is None or after is None else f"{after - before:+.4f}"


def percent(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.0f}%"


def size(count: float | None) -> str:
    """Bytes in decimal units, three significant digits: 3.21 MB."""
    if count is None:
        return MISSING
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(units) > 1:
        count /= 1000
        del units[0]
    return f"{count:.0f} {units[0]}" if units[0] == "B" or count >= 99.95 else f"{count:.3g} {units[0]}"


def duration(seconds: float | None) -> str:
    """A time a person can read: 4.1 s, 3 min 12 s, 2 h 05 min."""
    if seconds is None:
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def clean(text: Any, width: int = 60) -> str:
    """An untrusted name as one line of at most `width` characters, without control, format or bidirectional marks."""
    line = " ".join("".join(" " if _invisible(letter) else letter for letter in str(text)).split()) or "?"
    return line if len(line) <= width else line[: width - 1] + "…"


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "CZ"


def labels(names: Sequence[Any], width: int) -> list[str]:
    """Clean names, numbered by position where cleaning or cutting made two of them equal."""
    short = [clean(name, width) for name in names]
    return short if len(set(short)) == len(short) else [f"{name} #{k}" for k, name in enumerate(short, 1)]
