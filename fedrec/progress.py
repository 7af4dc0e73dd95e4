"""Progress on standard error: bars and spinners on a terminal, a line every so often anywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fedrec.visible import visible

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 15.0  # seconds from a line to the next

_spinning: list[Status] = []  # one at most: a terminal has one last line


@contextmanager
def bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A sign of life; call what it gives with (done, total). A bar vanishes when done."""
    if not _terminal():
        yield _lines(description)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fedrec.terminal import terminal

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _aside(), Progress(*columns, console=terminal(beside=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def working(description: str) -> Iterator[None]:
    """A sign of life of what cannot be counted. Within another one it leaves the terminal to that."""
    if not _terminal():
        with _told(description):
            yield
    elif _spinning:
        yield
    else:
        from rich.text import Text

        from fedrec.terminal import terminal

        with terminal(beside=True).status(Text(description)) as status:
            _spinning.append(status)
            try:
                yield
            finally:
                _spinning.remove(status)


def _terminal() -> bool:
    return bool(_spinning) or sys.stderr.isatty()  # a spinner has taken the place of sys.stderr


def say(line: str) -> None:
    """A line on standard error, at once."""
    print(visible(line), file=sys.stderr, flush=True)


def _lines(description: str) -> Callable[[int, int], None]:
    """Lines for a pipe or a log, none of what is done before the first is due."""
    began = last = time.monotonic()

    def tick(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PATIENCE:
            return
        last = now
        left = (now - began) / max(done, 1) * (total - done)
        say(f"{description}: {done} of {total}, about {left:.0f} s left")

    return tick


@contextmanager
def _told(description: str) -> Iterator[None]:
    """Lines for a pipe or a log, as long as it goes on."""
    began, over = time.monotonic(), threading.Event()

    def tell() -> None:
        while not over.wait(PATIENCE):
            say(f"{description}, {time.monotonic() - began:.0f} s so far")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


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
