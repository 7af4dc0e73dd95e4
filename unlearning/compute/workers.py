"""Work on the frozen base model, and who does it: a crew, in this process or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import torch

from fedrec.config import TrainConfig
from fedrec.models.base import Base

OnStep = Callable[[int, int, int], None]
"""Called with (shard, steps done, steps) of the slice that the shard is in."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


def silent(shard: int, step: int, steps: int) -> None:
    """An `OnStep` that tells nobody."""


def now_and_then(shard: int, tell: OnStep) -> Callable[[int, int], None]:
    """Of a shard's steps the tenth, the twentieth and so on, and the last one."""

    def tick(step: int, steps: int) -> None:
        if step % 10 == 0 or step == steps:
            tell(shard, step, steps)

    return tick


class Work(Protocol[T_co]):
    """Something to compute for a shard. It depends on nothing but itself and the base model.

    Attributes:
        key: equal keys, equal results.
    """

    @property
    def shard(self) -> int: ...

    @property
    def key(self) -> Hashable: ...

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> T_co: ...


class Crew(Protocol):
    """Works on one base model.

    Attributes:
        width: pieces of work that are done at a time.
    """

    @property
    def width(self) -> int: ...

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        """What comes of each piece, in the order in which they are done.

        Raises:
            FedrecError: Ray is missing or unreachable, or a piece cannot be done.
        """
        ...


class Workers(Protocol):
    """Where work is done."""

    def crew(self, base: Base, settings: TrainConfig) -> AbstractContextManager[Crew]:
        """A crew for a base model, with the threads and the device of the settings."""
        ...


class InProcess:
    """Work is done in this process, piece by piece."""

    def crew(self, base: Base, settings: TrainConfig) -> AbstractContextManager[Crew]:
        return nullcontext(_Here(base))


@dataclass(frozen=True)
class _Here:
    """This process."""

    base: Base
    width: int = 1

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        for each in work:
            yield each.run(self.base.model, partial(on_step, each.shard))
