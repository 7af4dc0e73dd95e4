"""The figures of forgetting of each method of a comparison, from the models in its folder.

rows/SEED-METHOD.npz        what a model says of the deleted rows once they are gone
rows/SEED-original.npz      what one shard said before that
rows/SEED-retrained-K.npz   what further models say, retrained as the first is, each with a seed of its own
rows/SEED-shadow-K.npz      what shadow models say
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.models.adapter import State, initial_state
from unlearning.central.model import ShardedModel
from unlearning.comparison.deleted_rows import Answered, DeletedRows
from unlearning.compute.workers import Workers
from unlearning.shards.training import ShardTraining

RETRAINING, ORIGINAL = "retraining", "original"
_FURTHER = 2  # models that are retrained beside the first, to see by how much retraining scatters


class Forgetting:
    """One seed's figures."""

    def __init__(
        self, folder: Path, seed: int, rows: DeletedRows, workers: Workers, scatters: bool, shadows: int
    ) -> None:
        """
        Args:
            folder: of the comparison.
            scatters: whether further models are retrained for the unit of distances.
            shadows: models for a likelihood-ratio attack.
        """
        self._models, self._kept = folder / "models", folder / "rows"
        self._seed, self._rows, self._workers, self._scatters, self._count = seed, rows, workers, scatters, shadows

    def note(self, name: str, model: ShardedModel) -> None:
        """Keep what a model says now, and of one adapter beside approximate methods how fast it relearns."""
        alone = self._scatters and model.method.shards == 1
        adapter = model.ensemble.adapters().get(0) if alone else None
        self._rows.asked(model, adapter=adapter).save(self._path(name))

    def of(self, name: str) -> dict[str, Any]:
        """The figures of a method whose deletion is done; retraining's is, before any other."""
        return self._figures(self._answered(name))

    def original(self) -> dict[str, Any]:
        """Those of the one shard before the deletion; none where it was not asked."""
        path = self._path(ORIGINAL)
        if not path.exists():
            return {}
        return {"seed": self._seed, **self._figures(Answered.read(path))}

    def _figures(self, found: Answered) -> dict[str, Any]:
        told = self._rows.figures(found, self._retrained, self._further)
        return told | (self._rows.likelihood_ratio(found, *self._shadows) if self._count else {})

    def _answered(self, name: str) -> Answered:
        path = self._path(name)
        if not path.exists():
            self.note(name, ShardedModel(self._models / f"{self._seed}-{name}"))
        return Answered.read(path)

    def _path(self, name: str) -> Path:
        return self._kept / f"{self._seed}-{name}.npz"

    @cached_property
    def _retrained(self) -> Answered:
        return self._answered(RETRAINING)

    @cached_property
    def _further(self) -> list[Answered]:
        if not self._scatters:
            return []
        paths = [self._path(f"retrained-{number}") for number in range(1, _FURTHER + 1)]
        if missing := {number: path for number, path in enumerate(paths, 1) if not path.exists()}:
            model = self._reference
            todo = [_with_seed(model, model.training(job), number) for number in missing for job in model.jobs()]
            with self._workers.crew(model.base, model.config.train) as crew:
                for done in crew.run(todo):
                    self._ask(done.states[-1], missing[done.shard], relearns=True)
        return [Answered.read(path) for path in paths]

    @cached_property
    def _shadows(self) -> tuple[list[Answered], NDArray[np.bool_]]:
        """What they say, and which rows taught each."""
        model = self._reference
        work, inside = self._rows.shadows(model.encoder, self._count)
        paths = [self._path(f"shadow-{number}") for number in range(self._count)]
        if not all(path.exists() for path in paths):
            with self._workers.crew(model.base, model.config.train) as crew:
                for states in crew.run([work]):
                    for state, path in zip(states, paths, strict=True):
                        self._ask(state, path)
        return [Answered.read(path) for path in paths], inside

    @cached_property
    def _reference(self) -> ShardedModel:
        return ShardedModel(self._models / f"{self._seed}-{RETRAINING}")

    def _ask(self, state: State, path: Path, relearns: bool = False) -> None:
        """Keep what a model of this one adapter says, and how fast it relearns."""
        answers = self._reference.answers_of({0: state})
        self._rows.asked(self._reference, answers, state if relearns else None).save(path)
        answers.close()


def _with_seed(model: ShardedModel, training: ShardTraining, number: int) -> ShardTraining:
    """The training of a model of one shard with another start and in another order; `number` is its shard."""
    seed = model.config.seed + 1000 * number
    lessons = tuple(replace(lesson, key=(seed, *lesson.key[1:])) for lesson in training.job.lessons)
    digests = tuple(f"{digest} {seed}" for digest in training.job.digests)
    start = initial_state(model.base.model, model.config.lora, seed)
    return replace(training, job=replace(training.job, shard=number, lessons=lessons, digests=digests), start=start)
