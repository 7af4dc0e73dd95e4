"""Work side by side in processes on this machine, which have the base model loaded: no cluster, no Ray.

A piece of work whose process dies is begun again; it depends on nothing but itself and the base, so the result is the
same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fedrec import hardware
from fedrec.config import TrainConfig
from fedrec.console import progress
from fedrec.errors import FedrecError
from fedrec.models.base import Base, load_base
from fedrec.models.item_tokens import Items, with_items
from fedrec.parallel.process_pool import Processes, Tell
from fedrec.parallel.worker_count import AUTO, processes_for
from unlearning.compute.ray_tasks import RayTasks
from unlearning.compute.workers import Crew, InProcess, OnStep, T, Work, Workers, now_and_then, silent

_RETRIES = 3
_POLL = 0.5  # seconds that a look for results takes at most


def workers_for(workers: str | int, shards: int, gpus: float = 0.0) -> Workers:
    """Ray where there is a cluster or where GPUs are shared out; otherwise processes on this machine.

    Args:
        workers: as `parse_workers` gives it.
        gpus: part of a GPU that a shard needs.
    """
    if workers != 0 and (gpus or os.environ.get("RAY_ADDRESS")):
        return RayTasks(shards if workers == AUTO else int(workers), gpus)
    return LocalProcesses(workers, shards)


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
        if count := processes_for(self.workers, settings, self.pieces):
            crew = _Crew(count, base, settings)
            with crew.processes:
                yield crew
        else:
            with InProcess().crew(base, settings) as here:
                yield here


class _Crew:
    def __init__(self, width: int, base: Base, settings: TrainConfig) -> None:
        self.width = width
        self._given = base.source, base.revision, base.precision, settings, base.items
        self._on_step: OnStep = silent
        self.processes = Processes(width, _on_base, lambda *said: self._on_step(*said))
        self._runs = 0

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        """As `Crew.run`; a piece whose process died again and again cannot be done."""
        self.processes.forget()  # of a run that nobody listens to any more
        self._runs, self._on_step = self._runs + 1, on_step
        waiting: dict[Hashable, Work[T]] = {(self._runs, number): each for number, each in enumerate(work)}
        died: Counter[Hashable] = Counter()
        for key, each in waiting.items():
            self.processes.submit(key, (*self._given, each))
        while waiting:
            for done in self.processes.wait(_POLL):
                if done.key not in waiting:
                    continue
                if done.fault is None:
                    del waiting[done.key]
                    yield done.result
                    continue
                died[done.key] += 1
                if not done.died or died[done.key] > _RETRIES:
                    raise FedrecError(f"a shard cannot be trained ({done.fault}); start again to continue")
                self.processes.submit(done.key, (*self._given, waiting[done.key]))


def _on_base(task: tuple[str, str | None, str, TrainConfig, Items | None, Work[T]], tell: Tell) -> T:
    """In a process of its own."""
    source, revision, precision, settings, items, work = task
    progress.tell_another(lambda *_: None)
    hardware.use_threads(settings)
    base = load_base(source, revision=revision, device=settings.device, precision=precision)
    return work.run(with_items(base, items).model, now_and_then(work.shard, tell))
