"""Work that several methods have in common is done once: equal keys, equal results (`Work.key`)."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fedrec.config import TrainConfig
from fedrec.models.base import Base
from unlearning.compute.workers import Crew, OnStep, T, Work, silent


class ResultCache:
    """A crew that remembers what came of each call, and serves model after model on its one base."""

    def __init__(self, crew: Crew) -> None:
        self._kept: dict[tuple[Hashable, ...], tuple[tuple[Any, ...], float]] = {}
        self._spared, self._crew, self.width = 0.0, crew, crew.width

    def crew(self, base: Base, settings: TrainConfig) -> AbstractContextManager[Crew]:
        """Itself, for a model on the base and with the settings that its crew was made for."""
        return nullcontext(self)

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        """As the crew does it; a call that was answered before costs nothing."""
        asked = tuple(each.key for each in work)
        if asked in self._kept:
            done, seconds = self._kept[asked]
            self._spared += seconds
            yield from done
            return
        began, fresh = time.perf_counter(), []
        for result in self._crew.run(work, on_step):
            fresh.append(result)
            yield result
        self._kept[asked] = tuple(fresh), time.perf_counter() - began

    def spared(self) -> float:
        """Seconds that what was answered from memory, since this was last asked, had taken the first time."""
        seconds, self._spared = self._spared, 0.0
        return seconds
