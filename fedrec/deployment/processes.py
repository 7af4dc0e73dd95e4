"""Processes that begin and end together: where one ends, or whoever started them, the others end as well."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.text import one_line

_TELLING = re.compile(r"Error|\[code: \d+\]")
_GRACE = 3.0  # seconds in which a process that is told to end does so
_TICK = 0.5  # seconds between two looks
_WAIT = 2.0, 60.0  # seconds until one that ended is started again, the first time and at most
_PR_SET_PDEATHSIG = 1


@dataclass
class _Child:
    """
    Attributes:
        begin: starts it.
        again: whether it is started again when it has ended.
        wait: seconds until then, longer every time.
        due: when; None while it runs.
        why: it ended last.
    """

    begin: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes]
    again: bool
    wait: float
    due: float | None = None
    why: str = ""


class Together:
    """Child processes, each with a log of its own."""

    def __init__(self, logs: Path, say: Callable[[str], None] = lambda text: None) -> None:
        """
        Args:
            say: told why one that is started again has ended.
        """
        self._logs, self._say = logs, say
        self._started: dict[str, _Child] = {}

    def __enter__(self) -> Together:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Told to end, then told not to wait for anybody, then killed, with what of their groups is left."""
        for number, seconds in ((signal.SIGTERM, _GRACE), (signal.SIGINT, _GRACE), (signal.SIGKILL, None)):
            for child in self._started.values():
                if child.process.poll() is None or number == signal.SIGKILL:
                    _tell(child.process, number)
            end = None if seconds is None else time.monotonic() + seconds
            for child in self._started.values():
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(None if end is None else max(0.0, end - time.monotonic()))

    def start(self, name: str, words: Sequence[object], environment: Mapping[str, str], again: bool = False) -> None:
        """A process in a group of its own: a Ctrl-C on the terminal reaches whoever started it, which ends it.

        Args:
            again: start it again whenever it ends, after a while.
        """

        def begin() -> subprocess.Popen[bytes]:
            with self.log(name).open("ab") as log:
                return subprocess.Popen(
                    [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, **environment}, start_new_session=True, preexec_fn=_end_with(os.getpid()),
                )  # fmt: skip

        self._started[name] = _Child(begin, begin(), again, _WAIT[0])

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """
        Raises:
            FedrecError: one of them has ended that is not started again.
        """
        for name, child in self._started.items():
            if (code := child.process.poll()) is None:
                continue
            why = f"{name} ended with code {code}: {self._last(name)}; see {self.log(name)}"
            if not child.again:
                raise FedrecError(why)
            if child.due is None:
                child.due, child.wait = time.monotonic() + child.wait, min(2 * child.wait, _WAIT[1])
                if why != child.why:
                    self._say(f"{why}; it is started again from time to time")
                child.why = why
            elif time.monotonic() > child.due:
                _tell(child.process, signal.SIGKILL)  # what of its group is left
                child.process, child.due = child.begin(), None

    def watch(self, each: Callable[[], None] = lambda: None) -> None:
        """For ever; `each` is called every half second."""
        while True:
            self.check()
            each()
            time.sleep(_TICK)

    def await_(self, ready: Callable[[], bool], name: str, seconds: float = 120.0) -> None:
        """Until something is ready that one of them does.

        Raises:
            FedrecError: one ended, or it takes too long.
        """
        end = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > end:
                raise FedrecError(f"{name} is not there after {seconds:g} s: {self._last(name)}; see {self.log(name)}")
            time.sleep(0.1)

    def _last(self, name: str) -> str:
        lines = [line for line in self.log(name).read_text("utf-8", "replace").splitlines() if line.strip()]
        telling = [line for line in lines if _TELLING.search(line)]  # Flower ends its logs with a link to its pages
        return one_line((telling or lines or ["it said nothing"])[-1])


def _tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end_with(parent: int) -> Callable[[], None] | None:
    """What a child does before all else: have the kernel end it where its parent is killed. On Linux alone."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def begin() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return begin
