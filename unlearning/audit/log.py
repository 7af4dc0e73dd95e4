"""The audit log: append-only JSON lines, each with the hash of the one before, and nothing of any person.

{"seq": 0, "at": "2026-01-31T09:00:00.000Z", "event": "submitted", "facts": {"request": "…"},
 "previous": "0…0", "hash": SHA-256(canonical(the line without hash))}

What `check` cannot see from the file alone is that its last lines were cut away, or all of it was written anew: that is
what a signed certificate's `audit_head` is for.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from fedrec.errors import FedrecError
from fedrec.files import sync
from unlearning.audit.canonical import canonical, parse
from unlearning.audit.chain import ORIGIN, Line, breaks, intact, link
from unlearning.audit.fields import Code, Facts

_FIELDS = {"seq", "at", "event", "facts", "previous", "hash"}
_SEALED = {"seq", "previous", "hash"}
TORN = "cut short by a crash; the next append removes it"
_EVENT = TypeAdapter(Code)


class Problem(NamedTuple):
    line: int
    why: str


class LogCheck(NamedTuple):
    """What `check` found: the number of lines, the hash of the last, and what is wrong where."""

    lines: int
    head: str
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


class AuditLog:
    """The log in a file. Several processes may append at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, **facts: Any) -> Line:
        """Add a line, on disk when this returns; returns it.

        A line that a crash cut short is removed first, and a line `log-repaired` says how long it was.

        Raises:
            ValueError: the event or a fact is not of `Facts`, or not of its type. The message has no value.
            FedrecError: the last line was altered, so that nothing can follow it.
        """
        _refuse_unknown(event, facts)
        with self._locked() as file:
            last, torn = self._last(file)
            if torn:
                file.truncate(os.fstat(file.fileno()).st_size - torn)
                last = self._write(file, last, "log-repaired", {"bytes": torn})
            return self._write(file, last, event, facts)

    def head(self) -> str:
        """The hash of the last whole line.

        Raises:
            FedrecError: that line was altered.
        """
        with self._locked() as file:
            return _hash(self._last(file)[0])

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        """The file, open for reading and appending, for one process at a time."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(self.path.name + ".lock")):
            new = not self.path.exists()
            with self.path.open("a+b") as file:
                if new:
                    sync(self.path.parent)
                yield file

    def _last(self, file: BinaryIO) -> tuple[Line | None, int]:
        """The last whole line, and the bytes of a torn one after it. A whole line without its end is given it."""
        size = os.fstat(file.fileno()).st_size
        if not size:
            return None, 0
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
            start = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
            raw, tail = content[start : max(end - 1, 0)], content[end:]
        last = _read(raw) if end else None
        if end and last is None:
            raise FedrecError(f"{self.path}: the last line was altered; restore the log from a backup")
        if (line := _read(tail)) is not None and line["previous"] == _hash(last):
            _flush(file, b"\n")
            return line, 0
        return last, len(tail)

    def _write(self, file: BinaryIO, last: Line | None, event: str, facts: dict[str, Any]) -> Line:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        seq = last["seq"] + 1 if last else 0
        line = link({"seq": seq, "at": at, "event": event, "facts": facts}, _hash(last))
        _flush(file, canonical(line) + b"\n")
        return line


def check(path: Path, heads: Collection[str] = ()) -> LogCheck:
    """Find every line that was altered, and every place where one was removed, inserted or moved.

    Args:
        heads: hashes known from elsewhere (the certificates' `audit_head`), each of which must be a line's.

    Raises:
        FedrecError: there is no such file.
    """
    lines, torn = _lines(path)
    problems = dict(breaks(lines, sound=lambda line: line is not None))
    before = -1
    for number, line in enumerate(lines, start=1):
        seq = line["seq"] if line else before + 1
        if seq != before + 1:
            problems.setdefault(number, f"is number {seq} where {before + 1} belongs")
        before = seq
    found = [Problem(*item) for item in sorted(problems.items())]
    hashes = [line["hash"] if line else "" for line in lines]
    if missing := set(heads) - {*hashes, ORIGIN}:
        why = f"lines are gone: {len(missing)} of the known hashes are not in the log"
        found.append(Problem(len(lines) + 1, why))
    if torn:
        found.append(Problem(len(lines) + 1, TORN))
    return LogCheck(len(lines), hashes[-1] if hashes else ORIGIN, tuple(found))


def read(path: Path) -> list[Line]:
    """The lines of a log that were not altered; none where there is no log."""
    return [line for line in _lines(path)[0] if line is not None] if path.exists() else []


def excerpt(path: Path, request: str) -> list[Line]:
    """The lines from the first of a request to the end; of the lines of other requests only number and hashes.

    Raises:
        FedrecError: there is no such file, or a line of it was altered.
    """
    lines: list[Line] = []
    for number, line in enumerate(_lines(path)[0], start=1):
        if line is None:
            raise FedrecError(f"{path}: line {number} was altered; restore the log from a backup")
        if lines or _names(line, request):
            lines.append(line if _names(line, request) else {key: line[key] for key in _SEALED})
    return lines


def check_excerpt(lines: Sequence[Any], request: str, head: str) -> tuple[Problem, ...]:
    """What is wrong with an excerpt that is to tell of a request and to end at the line with the hash `head`."""
    problems = [Problem(*found) for found in breaks(lines, None, _whole_or_sealed)]
    if not any(_whole(line) and _names(line, request) for line in lines):
        problems.append(Problem(1, "no line tells of the request"))
    if not lines or not _whole_or_sealed(lines[-1]) or lines[-1]["hash"] != head:
        problems.append(Problem(len(lines), "does not end where the certificate says"))
    return tuple(problems)


def _refuse_unknown(event: str, facts: dict[str, Any]) -> None:
    try:
        _EVENT.validate_python(event)
        Facts.model_validate(facts)
    except ValidationError as error:
        where = sorted({str(found["loc"][0]) if found["loc"] else "event" for found in error.errors()})
        raise ValueError(f"audit log: {', '.join(where)}: not a field of the log, or not of its type") from None


def _lines(path: Path) -> tuple[list[Line | None], int]:
    """The lines, None where one was altered, and the bytes of what follows the last line's end."""
    try:
        *raw, tail = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        raise FedrecError(f"{path}: no audit log there; name the right file") from None
    return [_read(line) for line in raw], len(tail)


def _read(raw: bytes) -> Line | None:
    try:
        line = parse(raw)
    except ValueError:
        return None
    return line if _whole(line) else None


def _whole(line: Any) -> bool:
    if not (isinstance(line, dict) and line.keys() == _FIELDS):
        return False
    return isinstance(line["seq"], int) and isinstance(line["facts"], dict) and intact(line)


def _whole_or_sealed(line: Any) -> bool:
    return _whole(line) or (isinstance(line, dict) and line.keys() == _SEALED)


def _names(line: Line, request: str) -> bool:
    return bool(line["facts"].get("request") == request)


def _hash(line: Line | None) -> str:
    return ORIGIN if line is None else str(line["hash"])


def _flush(file: BinaryIO, raw: bytes) -> None:
    file.write(raw)
    file.flush()
    os.fsync(file.fileno())
