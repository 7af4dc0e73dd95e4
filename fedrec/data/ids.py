"""Ids of people and items: one spelling of each, and two spellings that nobody can tell apart are refused.

    normal(text)     = NFC, without white space and marks of no width at its ends
    appearance(text) = NFKC, case folded, without marks of no width, white space as one space

An id is its normal spelling wherever it is read: in a data set, in a list of requests, on the command line. Two of them
with one appearance differ by case, width, composition or what cannot be seen; letters of other scripts that may
resemble them are only hinted at (`resembling`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable

from fedrec.errors import DataError, UsageError

MEND = "spell them alike if they are one, or say --set data.ids=exact if they are two"

_NO_WIDTH = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}


def normal(text: str) -> str:
    """The one spelling of an id; applied again it changes nothing."""
    if text.isascii():
        return text.strip()
    composed = unicodedata.normalize("NFC", text)
    return composed.strip("".join(letter for letter in set(composed) if letter.isspace() or _without_width(letter)))


def appearance(text: str) -> str:
    """Equal for ids that look alike."""
    if text.isascii():
        return " ".join(text.casefold().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(letter for letter in folded if not _without_width(letter)).split())


def is_clean(text: str) -> bool:
    """Whether no control character is in it: a tab, an escape sequence, a line's end."""
    return not any(unicodedata.category(letter) == "Cc" for letter in text)


def look_alikes(ids: Iterable[str]) -> dict[str, str]:
    """Each id that looks like another one before it, with that one."""
    first: dict[str, str] = {}
    return {id: known for id in ids if (known := first.setdefault(appearance(id), id)) != id}


def refuse_twins(role: str, ids: Iterable[str], known: Collection[str], where: object) -> None:
    """
    Raises:
        DataError: one of the ids is not known, and looks like one that is.
    """
    there, first = set(known), {appearance(id): id for id in known}
    for id in ids:
        if id not in there and (other := first.get(appearance(id))) is not None:
            raise DataError(f"{told_apart(role, id, other)}, which is in {where}: {MEND}")


def told_apart(role: str, id: str, other: str) -> str:
    """What to say of an id that looks like another: both with what cannot be seen spelled out."""
    return f"{role} {id!a} looks like {role} {other!a}"


def named(option: str, given: str, known: Iterable[str]) -> str:
    """The id that somebody typed, in its normal spelling; it need not be known.

    Raises:
        UsageError: it holds control characters, or looks like one that is known and is not it.
    """
    id = normal(given)
    if not id or not is_clean(id):
        raise UsageError(f"{option} {given!a}: no id; give letters, digits and signs that can be seen")
    there = set(known)
    if id not in there:
        seen = appearance(id)
        if (like := next((other for other in there if appearance(other) == seen), None)) is not None:
            raise UsageError(f"{option}: {told_apart('id', id, like)}, which is there: give that one if it is meant")
    return id


def resembling(text: str, known: Iterable[str]) -> str | None:
    """A known id of as many letters, most of them the same, where only one of two that differ is ASCII."""
    for other in known:
        differ = [(a, b) for a, b in zip(text, other, strict=False) if a != b]
        scripts = all(a.isascii() != b.isascii() for a, b in differ)
        if len(text) == len(other) and 0 < 2 * len(differ) < len(text) and scripts:
            return other
    return None


def _without_width(letter: str) -> bool:
    return letter in _NO_WIDTH or unicodedata.category(letter) == "Cf"
