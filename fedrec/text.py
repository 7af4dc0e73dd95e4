"""Text from outside: files, where a byte order mark or UTF-16 is part of the encoding; values and reasons in a line."""

from __future__ import annotations

import codecs
from pathlib import Path

_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16, without its byte order mark.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is in another encoding.
    """
    return utf8(path.read_bytes()).decode()


def utf8(data: bytes) -> bytes:
    """Text in UTF-8 or UTF-16 as UTF-8 without its byte order mark; other bytes as they are.

    UTF-16 without a mark is known by the zero byte beside its first character, which text does not hold.

    Raises:
        UnicodeDecodeError: it says it is UTF-16, and is not.
    """
    if data.startswith(codecs.BOM_UTF8):
        return data.removeprefix(codecs.BOM_UTF8)
    for mark, encoding in _WIDE.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding).encode()
    if len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le").encode()
    return data


def amount(count: int, one: str, more: str | None = None) -> str:
    """`1 row`, `2,000 rows`: a number of things; `more` = what several are called, where an s does not make it."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def one_line(text: str | None) -> str:
    """A reason from outside, as one line of at most 300 characters."""
    return " ".join((text or "no reason given").split())[:300]


def shown(value: object) -> str:
    """A value from outside on one short line; a huge integer or a nested thing is not even spelled out."""
    match value:
        case str():
            text = ascii(value[:60])  # escapes make it longer
            return text if len(text) <= 62 else text[:58] + "...'"
        case None | bool() | float():
            return repr(value)
        case int() if value.bit_length() <= 64:
            return repr(value)
        case _:
            return f"<{type(value).__name__}>"
