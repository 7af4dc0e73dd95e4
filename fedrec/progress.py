"""Progress on standard error: a bar on a terminal, a line every so often anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 15.0  # seconds from a line to the next


@contextmanager
def bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A sign of life; call what it gives with (done, total). A bar vanishes when done."""
    if not sys.stderr.isatty():
        yield _lines(description)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def say(line: str) -> None:
    """A line on standard error, at once."""
    print(line, file=sys.stderr, flush=True)


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
