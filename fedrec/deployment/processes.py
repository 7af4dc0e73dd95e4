"""Processes that begin and end together: where one ends, or whoever started them, the others end as well."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.text import one_line

_GRACE = 3.0  # seconds in which a process that is told to end does so
_TICK = 0.5  # seconds between two looks
_PR_SET_PDEATHSIG = 1


class Together:
    """Child processes, each with a log of its own."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Together:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Told to end, then told not to wait for anybody, then killed, with what of their groups is left."""
        for number, seconds in ((signal.SIGTERM, _GRACE), (signal.SIGINT, _GRACE), (signal.SIGKILL, None)):
            for process in self._started.values():
                if process.poll() is None or number == signal.SIGKILL:
                    _tell(process, number)
            end = None if seconds is None else time.monotonic() + seconds
            for process in self._started.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(None if end is None else max(0.0, end - time.monotonic()))

    def start(self, name: str, words: Sequence[object], environment: Mapping[str, str]) -> None:
        """A process in a group of its own: a Ctrl-C on the terminal reaches whoever started it, which ends it."""
        with self.log(name).open("ab") as log:
            self._started[name] = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **environment}, start_new_session=True, preexec_fn=_end_with(os.getpid()),
            )  # fmt: skip

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """
        Raises:
            FedrecError: one of them has ended.
        """
        for name, process in self._started.items():
            if (code := process.poll()) is not None:
                raise FedrecError(f"{name} ended with code {code}: {self._last(name)}; see {self.log(name)}")

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
        telling = [line for line in lines if "rror" in line]  # Flower ends its logs with a link to its pages
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
