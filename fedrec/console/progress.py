"""Progress on standard error: bars and spinners on a terminal, a line every so often anywhere else.

A process that works for another shows nothing itself: it tells the other one, which shows what is done side by side.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from fedrec.console.visible import visible

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 15.0  # seconds from a line to the next
_OFTEN = 0.5  # seconds from one telling of another process to the next, and that no work is told of

Count = Callable[[int, int], None]
Tell = Callable[[str, int, int], None]
"""Told (what, done, total); of what cannot be counted, a total of 1."""

_waited_since: float | None = None  # since when nothing was said, where a user waits for a command
_spinning: list[Status] = []  # one at most: a terminal has one last line
_another: Tell | None = None
_telling: list[
    object
] = []  # where there is no terminal: what goes on, within each other; the innermost alone is told of


def tell_another(tell: Tell) -> None:
    """From now on this process shows nothing: `tell` hands on what it would show."""
    global _another
    _another = tell


@contextmanager
def patience_from_here() -> Iterator[None]:
    """Within, the first line is due from here on: who waits for a command waits for its imports too."""
    global _waited_since
    _waited_since = time.monotonic()
    try:
        yield
    finally:
        _waited_since = None


@contextmanager
def bar(description: str) -> Iterator[Count]:
    """A sign of life; call what it gives with (done, total). A bar vanishes when done."""
    if _another is not None:
        yield _now_and_then(partial(_another, description), _OFTEN, last=0.0, at_the_end=True)
    elif not _terminal():
        began = time.monotonic()

        def tell(done: int, total: int) -> None:
            left = (time.monotonic() - began) / max(done, 1) * (total - done)
            known = 100 * done >= total  # the first steps are no measure of the others
            say(f"{description}: {done} of {total}{f', about {left:.0f} s left' if known else ''}")

        with _innermost():
            yield _now_and_then(tell, PATIENCE, last=began if _waited_since is None else _waited_since)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from fedrec.console.terminal import terminal

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with _aside(), Progress(*columns, console=terminal(beside=True), transient=True) as progress:
            task = progress.add_task(description, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def working(description: str) -> Iterator[None]:
    """A sign of life of what cannot be counted. Within another one it leaves the terminal to that."""
    if _another is not None:
        _another(description, 0, 1)
        yield
        _another(description, 1, 1)
    elif not _terminal():
        with _told(lambda seconds: f"{description}, {seconds:.0f} s so far"):
            yield
    elif _spinning:
        yield
    else:
        with _spinner(description) as status:
            _spinning.append(status)
            try:
                yield
            finally:
                _spinning.remove(status)


@contextmanager
def side_by_side() -> Iterator[Tell]:
    """Signs of life of what other processes do."""
    going: dict[str, tuple[int, int]] = {}

    def note(what: str, done: int, total: int) -> None:
        going[what] = done, total
        if done >= total:
            del going[what]

    if not _terminal():
        with _told(lambda _: "; ".join(_so_far(what, *far) for what, far in list(going.items()))):
            yield note
        return
    from rich.text import Text

    with _aside(), _spinner("") as status:

        def tell(what: str, done: int, total: int) -> None:
            note(what, done, total)
            status.update(Text("   ".join(_so_far(each, *far) for each, far in going.items())))

        yield tell


def _spinner(description: str) -> Status:
    from rich.text import Text

    from fedrec.console.terminal import terminal

    return terminal(beside=True).status(Text(description))


def _so_far(what: str, done: int, total: int) -> str:
    return what if total == 1 else f"{what}: {done} of {total}"


def _terminal() -> bool:
    return bool(_spinning) or sys.stderr.isatty()  # a spinner has taken the place of sys.stderr


def say(line: str) -> None:
    """A line on standard error, at once."""
    global _waited_since
    if _waited_since is not None:
        _waited_since = time.monotonic()
    print(visible(line), file=sys.stderr, flush=True)


def _now_and_then(tell: Count, seconds: float, last: float, at_the_end: bool = False) -> Count:
    """Tells so many seconds after it told last, and perhaps at the end."""

    def tick(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds or (at_the_end and done >= total):
            last = now
            tell(done, total)

    return tick


@contextmanager
def _told(line: Callable[[float], str]) -> Iterator[None]:
    """Lines for a pipe or a log, as long as it goes on, of the seconds so far; none where the line is empty."""
    began, over = time.monotonic(), threading.Event()

    def tell() -> None:
        due = PATIENCE if _waited_since is None else max(PATIENCE - (began - _waited_since), _OFTEN)
        while not over.wait(due):
            due = PATIENCE
            if _telling[-1:] == [over] and (told := line(time.monotonic() - began)):
                say(told)

    teller = threading.Thread(target=tell, daemon=True)
    with _innermost(over):
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()


@contextmanager
def _innermost(what: object = None) -> Iterator[None]:
    """While it lasts nothing is told of what it is a part of."""
    _telling.append(what)
    try:
        yield
    finally:
        _telling.remove(what)


@contextmanager
def _aside() -> Iterator[None]:
    """A spinner leaves the terminal to a bar for a while."""
    for status in _spinning:
        status.stop()
    try:
        yield
    finally:
        for status in _spinning:
            status.start()
