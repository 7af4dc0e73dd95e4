"""Work that several methods have in common is done once: equal keys, equal results (`Work.key`)."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fedrec.config import TrainConfig
from fedrec.models.base import Base
from unlearning.compute.crew import Crew, OnStep, T, Work, silent


class ResultCache:
    """A crew that remembers what came of each call, and serves model after model on its one base."""

    def __init__(self, crew: Crew) -> None:
        self.kept: dict[tuple[Hashable, ...], tuple[tuple[Any, ...], float]] = {}
        self.seconds = 0.0
        self._crew = crew

    @contextmanager
    def crew(self, base: Base, settings: TrainConfig) -> Iterator[Crew]:
        """Itself, for a model on the base and with the settings that its crew was made for."""
        yield self

    @property
    def width(self) -> int:
        return self._crew.width

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        """As the crew does it; a call that was answered before costs nothing."""
        asked = tuple(each.key for each in work)
        if asked in self.kept:
            done, seconds = self.kept[asked]
            self.seconds += seconds
            yield from done
            return
        began, fresh = time.perf_counter(), []
        for result in self._crew.run(work, on_step):
            fresh.append(result)
            yield result
        self.kept[asked] = tuple(fresh), time.perf_counter() - began

    def spared(self) -> float:
        """Seconds that what was answered from cache, since this was last asked, had taken the first time."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds
