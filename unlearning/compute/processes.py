"""Shards side by side in processes on this machine: no cluster, no Ray. For those, see `unlearning.compute.ray_tasks`.

A piece of work whose process dies is begun again; it depends on nothing but itself and the base, so the result is the
same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fedrec import hardware
from fedrec.config import TrainConfig
from fedrec.console import progress
from fedrec.errors import FedrecError
from fedrec.models.base import Base, load_base
from fedrec.models.item_tokens import Items, with_items
from fedrec.parallel.process_pool import Processes, Tell
from fedrec.parallel.worker_count import processes_for
from unlearning.compute.crew import Crew, InProcess, OnStep, T, Work, silent

_RETRIES = 3
_POLL = 0.5  # seconds that a look for results takes at most


@dataclass(frozen=True)
class LocalProcesses:
    """
    Attributes:
        workers: processes, or "auto": as many as there are cores for.
        pieces: of work that there are at a time, at most.
    """

    workers: str | int
    pieces: int

    @contextmanager
    def crew(self, base: Base, settings: TrainConfig) -> Iterator[Crew]:
        """A crew in so many processes, or in this one."""
        count = processes_for(self.workers, settings, self.pieces)
        if count == 0:
            with InProcess().crew(base, settings) as crew:
                yield crew
        else:
            with _Crew(count, base, settings) as crew:
                yield crew


class _Crew:
    """Processes that have the base model, each loaded once."""

    def __init__(self, count: int, base: Base, settings: TrainConfig) -> None:
        self._given = base.source, base.revision, base.precision, settings, base.items
        self._on_step: OnStep = silent
        self._processes = Processes(count, _on_base, lambda *said: self._on_step(*said))
        self._runs = 0

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    @property
    def width(self) -> int:
        return self._processes.count

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        """What comes of each piece, in the order in which they are done.

        Raises:
            FedrecError: a piece cannot be done, or its process died again and again.
        """
        self._processes.forget()  # of a run that nobody listens to any more
        self._runs, self._on_step = self._runs + 1, on_step
        waiting = {(self._runs, number): each for number, each in enumerate(work)}
        died: Counter[Any] = Counter()
        for key, each in waiting.items():
            self._processes.submit(key, (*self._given, each))
        while waiting:
            for done in self._processes.wait(_POLL):
                if done.key not in waiting:
                    continue
                if done.fault is None:
                    del waiting[done.key]
                    yield done.result
                    continue
                died[done.key] += 1
                if not done.died or died[done.key] > _RETRIES:
                    raise FedrecError(f"a shard cannot be trained ({done.fault}); start again to continue")
                self._processes.submit(done.key, (*self._given, waiting[done.key]))


def _on_base(task: tuple[str, str | None, str, TrainConfig, Items | None, Work[T]], tell: Tell) -> T:
    """In a process of its own."""
    source, revision, precision, settings, items, work = task
    progress.tell_another(lambda *_: None)
    hardware.use_threads(settings)

    def tick(step: int, steps: int) -> None:
        if step % 10 == 0 or step == steps:
            tell(work.shard, step, steps)

    base = load_base(source, revision=revision, device=settings.device, precision=precision)
    return work.run(with_items(base, items).model, tick)
