"""Work that several methods have in common is done once: equal keys, equal results (`Work.key`)."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fedrec.config import TrainConfig
from fedrec.models.base import Base
from unlearning.pool import Crew, OnStep, T, Work, Workers, silent


class Memory:
    """Workers who remember what came of each call."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.kept: dict[tuple[Hashable, ...], tuple[tuple[Any, ...], float]] = {}
        self.seconds = 0.0

    @contextmanager
    def crew(self, base: Base, settings: TrainConfig) -> Iterator[Crew]:
        with self.workers.crew(base, settings) as crew:
            yield _Remembering(self, crew)

    def spared(self) -> float:
        """Seconds that what was answered from memory, since this was last asked, had taken the first time."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


@dataclass(frozen=True)
class _Remembering:
    memory: Memory
    crew: Crew

    @property
    def width(self) -> int:
        return self.crew.width

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        """As the crew does it; a call that was answered before costs nothing."""
        asked, kept = tuple(each.key for each in work), self.memory.kept
        if asked in kept:
            done, seconds = kept[asked]
            self.memory.seconds += seconds
            yield from done
            return
        began, fresh = time.perf_counter(), []
        for result in self.crew.run(work, on_step):
            fresh.append(result)
            yield result
        kept[asked] = tuple(fresh), time.perf_counter() - began
