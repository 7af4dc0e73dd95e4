"""Text that cannot steer a terminal: whatever would do something else than stand there is spelled out."""

from __future__ import annotations

import unicodedata

_ORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
    """The text with escape sequences, line ends of other kinds and marks of reading order as `\\x1b` spells them.

    A line feed and a tab stay what they are.
    """
    if text.isprintable():
        return text
    return "".join(ascii(letter)[1:-1] if _steers(letter) else letter for letter in text)


def _steers(letter: str) -> bool:
    if letter in "\n\t":
        return False
    return letter in _ORDERING or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
