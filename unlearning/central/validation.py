"""Validation rows as each shard's adapter answers them alone, shared among a crew's workers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray

from fedrec.config import LoraConfig
from fedrec.data.prompts import Window
from fedrec.ensemble.validation import Asked, each_alone
from fedrec.models.adapter import State, state_hash
from fedrec.tasks.task import Readout
from unlearning.compute.workers import Crew


@dataclass(frozen=True)
class Scoring:
    """An adapter and the windows it is to answer.

    Attributes:
        shard: the place of the adapter among those that are asked.
        user: (n,) whose each row is; the windows' rows are positions in it.
        readout: how answers are read.
    """

    shard: int
    state: State
    windows: Sequence[Window]
    user: NDArray[np.int32]
    readout: Readout
    lora: LoraConfig
    precision: str

    @property
    def key(self) -> Hashable:
        read = hashlib.sha256()
        for window in self.windows:
            for part in (window.ids, window.at, window.rows, self.user[window.rows]):
                read.update(f"{len(part)} ".encode() + part.tobytes())
        return state_hash(self.state), read.hexdigest(), self.readout, repr(self.lora), self.precision

    def run(
        self, model: torch.nn.Module, on_step: Callable[[int, int], None]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Rows (m,) and their like-probabilities (m,). A person's depend on nobody else's windows (`by_person`)."""
        asked = [(self.state, self.windows)]
        (scores,) = each_alone(model, self.precision, self.lora, self.readout, self.user, asked)
        rows = np.concatenate([window.rows for window in self.windows])
        return rows, scores[rows]


def scores_by_crew(
    crew: Crew, precision: str, lora: LoraConfig, readout: Readout, user: NDArray[np.int32], asked: Asked
) -> Iterator[NDArray[np.float64]]:
    """As `each_alone`, by a crew: an adapter's windows in as many parts as are answered at the same time."""
    for place, (state, windows) in enumerate(asked):
        scores = np.full(len(user), np.nan)
        parts = split_by_person(windows, user, crew.width)
        for rows, found in crew.run([Scoring(place, state, part, user, readout, lora, precision) for part in parts]):
            scores[rows] = found
        yield scores


def split_by_person(windows: Sequence[Window], user: NDArray[np.int32], count: int) -> list[list[Window]]:
    """The windows in at most `count` parts of about equally many people, each of whom is in one part.

    Args:
        windows: those of a person one after another.
    """
    people = [list(mine) for _, mine in groupby(windows, key=lambda window: user[window.rows[0]])]
    return [[window for mine in people[k::count] for window in mine] for k in range(min(count, len(people)))]
