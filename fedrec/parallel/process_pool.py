"""Processes that work side by side on this machine. One that dies is replaced, and none outlives the process it serves.

They are forked from one that has imported what they need, once for all of them, so each starts at once and shares that
memory. Each computes one task at a time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, cast

Tell = Callable[..., None]
Serve = Callable[[Any, Tell], Any]
"""What a process does with a task: it may tell how far it is. Found by its module and name, as pickle does."""

_FORKING = multiprocessing.get_context("forkserver")
_TOLD, _DONE, _FAILED = "told", "done", "failed"
_ENDING = 5.0  # seconds for a process to end whose end of the pipe is closed


@dataclass(frozen=True)
class Done:
    """What came of a task: a result, or why there is none, in one line; `died` where its process did."""

    key: Hashable
    result: Any = None
    fault: str | None = None
    died: bool = False


def prepare(*modules: str) -> None:
    """Begin to import what processes will need, beside whatever this one does until it wants them."""
    _FORKING.set_forkserver_preload([*modules, "transformers.models.llama.modeling_llama"])
    with _deaf_to_interrupts():
        forkserver.ensure_running()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process started within never hears Ctrl-C: that is for the one it serves, which ends it."""
    resource_tracker.ensure_running()  # by itself it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Processes:
    """So many processes, started with the first task and replaced when they die; `on_tell` hears what a task tells."""

    def __init__(self, count: int, serve: Serve, on_tell: Tell = lambda *_: None) -> None:
        self.count, self._serve, self._on_tell = count, serve, on_tell
        self._waiting: deque[tuple[Hashable, Any]] = deque()
        self._all: list[_Worker] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a task is being done, or waits."""
        return bool(self._waiting) or any(not worker.idle for worker in self._all)

    def submit(self, key: Hashable, task: Any) -> None:
        """Have a task done as soon as a process is free."""
        self._waiting.append((key, task))
        self._hand_out()

    def forget(self) -> None:
        """Do not begin what no process has begun."""
        self._waiting.clear()

    def wait(self, seconds: float) -> list[Done]:
        """What is done by then; as soon as something is."""
        found: list[Done] = []
        for ready in wait([worker.pipe for worker in self._all], seconds):
            worker = next(each for each in self._all if each.pipe is ready)
            found += self._heard(worker)
        self._hand_out()
        return found

    def close(self) -> None:
        """End them all at once, whatever they are at."""
        self.forget()
        for worker in self._all:
            worker.kill()
        self._all.clear()

    def _heard(self, worker: _Worker) -> list[Done]:
        try:
            kind, said = worker.pipe.recv()
        except (EOFError, OSError):
            self._all.remove(worker)
            fault = worker.ended()
            return [] if worker.idle else [Done(worker.key, fault=fault, died=True)]
        if kind == _TOLD:
            self._on_tell(*said)
            return []
        worker.idle = True
        return [Done(worker.key, result=said) if kind == _DONE else Done(worker.key, fault=said)]

    def _hand_out(self) -> None:
        while self._waiting:
            worker = next((each for each in self._all if each.idle), None)
            if worker is None:
                if len(self._all) == self.count:
                    return
                worker = _Worker(self._serve)
                self._all.append(worker)
            worker.take(*self._waiting.popleft())


class _Worker:
    """A process, and this end of the pipe to it."""

    def __init__(self, serve: Serve) -> None:
        self.pipe, theirs = _FORKING.Pipe()
        self._process = _FORKING.Process(target=_work, args=(theirs, serve), daemon=True)
        with _deaf_to_interrupts():  # the first one starts what forks them, where nothing did before
            self._process.start()
        theirs.close()
        self.idle, self.key = True, cast(Hashable, None)

    def take(self, key: Hashable, task: Any) -> None:
        self.idle, self.key = False, key
        with contextlib.suppress(OSError):  # it has died, as the next look at the pipe finds
            self.pipe.send(task)

    def ended(self) -> str:
        """How it ended, in one line, once its end of the pipe is closed."""
        self._process.join(_ENDING)
        code = self._process.exitcode
        self.kill()
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        return f"its process {how}; where memory is short, --workers 0 needs the least"

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(pipe: Connection, serve: Serve) -> None:
    """A process's life: one task after another, until whom it serves is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, tasks), daemon=True).start()

    def tell(*said: Any) -> None:
        pipe.send((_TOLD, said))

    while True:
        task = tasks.get()
        try:
            said = _DONE, serve(task, tell)
        except Exception as error:  # whatever it is, the next task may be done
            said = _FAILED, " ".join(f"{error}".split()) or type(error).__name__
        pipe.send(said)


def _listen(pipe: Connection, tasks: queue.SimpleQueue[Any]) -> None:
    """Hand on what comes; nothing comes any more where the other end is closed, be it by `kill -9`."""
    try:
        while True:
            tasks.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)
