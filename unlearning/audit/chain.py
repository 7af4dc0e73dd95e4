"""Lines that each hold the hash of the one before.

    hash_i = SHA-256(canonical(line_i without hash)),   previous_i = hash_(i-1)

Whoever can write the file could write the whole chain anew; a hash kept elsewhere, in a signed certificate, fixes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from unlearning.audit.canonical import digest

ORIGIN = "0" * 64  # what the first line follows

Line = dict[str, Any]


def link(content: Mapping[str, Any], previous: str) -> Line:
    """The line that holds `content` and follows the line with the hash `previous`."""
    line = {**content, "previous": previous}
    return {**line, "hash": digest(line)}


def linked(contents: Iterable[Mapping[str, Any]]) -> list[Line]:
    """A whole chain."""
    lines: list[Line] = []
    for content in contents:
        lines.append(link(content, lines[-1]["hash"] if lines else ORIGIN))
    return lines


def intact(line: Any) -> bool:
    """Whether a line's hash is that of its content."""
    if not isinstance(line, dict) or not {"previous", "hash"} <= line.keys():
        return False
    content = {key: value for key, value in line.items() if key != "hash"}
    return bool(digest(content) == line["hash"])


def breaks(
    lines: Iterable[Any], previous: str | None = ORIGIN, sound: Callable[[Any], bool] = intact
) -> Iterator[tuple[int, str]]:
    """The number (from 1) of each line that is not `sound` or does not follow the one before, and why.

    Args:
        previous: what the first line follows; None = unknown.
    """
    for number, line in enumerate(lines, start=1):
        if not sound(line):
            yield number, "altered"
            previous = None
            continue
        if previous not in (None, line["previous"]):
            yield number, "does not follow the line before: one was removed, inserted or moved here"
        previous = line["hash"]
