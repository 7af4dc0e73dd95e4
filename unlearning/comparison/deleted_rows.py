"""How well a deletion forgot, on the deleted rows: beside the retrained model, in units of what retraining scatters by,
and as membership inference sees it.

    unit of a distance = its mean over pairs of models that were retrained on the same rows, each with a seed of its own

A method one unit from the retrained model is as far from it as any other retrained model is. Members are the deleted
rows that had been learnt from, others are test rows of the same people, which no model has learnt from; the reference
is what the same attack finds of the retrained model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.data.dataset import TEST, TRAIN, Interactions
from fedrec.data.selection import of_some_people
from fedrec.distances import DISTANCES
from fedrec.ensemble.served_model import ServedModel
from fedrec.files import replacing
from fedrec.metrics import Scores, auc
from fedrec.models.adapter import State
from fedrec.privacy.attacks.lira import confidence, likelihood_ratio
from fedrec.privacy.attacks.membership import attack
from fedrec.scoring import by_person
from fedrec.tasks import task_of
from fedrec.tasks.task import Encoder
from unlearning.central.answering import AnsweringModel
from unlearning.comparison.relearning import relearning
from unlearning.comparison.shadows import Shadows, shadows_of
from unlearning.comparison.subgroups import subgroups

_ROWS = 4000  # deleted rows that are asked about, those of some people: enough for every figure


@dataclass(frozen=True)
class Answered:
    """A model's scores of the deleted rows, and of the others; and how fast it relearns, NaN of several adapters."""

    forgotten: Scores
    unseen: Scores
    relearning: float = math.nan

    def save(self, path: Path) -> None:
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **asdict(self))

    @classmethod
    def read(cls, path: Path) -> Answered:
        with np.load(path) as kept:
            return cls(kept["forgotten"], kept["unseen"], float(kept["relearning"]))


class DeletedRows:
    """The rows by which forgetting is measured; they stay known here, and nowhere in a model."""

    def __init__(self, rows: Interactions, gone: NDArray[np.bool_], config: RunConfig) -> None:
        """
        Args:
            gone: (n,) the rows that are deleted.
        """
        self._rows, self._user, self._gone, self._config = rows, rows.user, gone, config
        self._forgotten = of_some_people(rows, gone & (rows.split == TRAIN), _ROWS, config.seed)
        people = np.unique(rows.user[self._forgotten])
        self._unseen = (rows.split == TEST) & np.isin(rows.user, people)
        self._labels = task_of(config).labels(rows)
        self._groups = subgroups(rows, self._forgotten)

    def asked(
        self, model: AnsweringModel, answers: ServedModel | None = None, adapter: State | None = None
    ) -> Answered:
        """What a model says of them as it is served, or would by other answers of its.

        Args:
            adapter: its one adapter, if it is to relearn them.
        """
        windows = model.encoder.windows(self._rows, self._forgotten | self._unseen)
        scores = (answers or model.answers).scores(windows, len(self._rows), by_person(self._user))
        again = math.nan if adapter is None else relearning(model, adapter, self._rows, self._forgotten)
        return Answered(scores[self._forgotten], scores[self._unseen], again)

    def figures(self, found: Answered, retrained: Answered, scatter: Sequence[Answered]) -> dict[str, Any]:
        """A distance to the retrained model has `…_scatter`, the same in units of the scatter; None of no scatter.
        Those of a subgroup's rows have its name before them; `relearning_less` is the difference to the retrained one.

        Args:
            scatter: further retrained models.
        """
        told: dict[str, Any] = {}
        everybody, models = np.ones(len(found.forgotten), bool), (retrained, *scatter)
        for group, rows in {"": everybody, **self._groups}.items():
            for name, distance in DISTANCES.items():
                value = distance(found.forgotten[rows], retrained.forgotten[rows])
                pairs = [distance(a.forgotten[rows], b.forgotten[rows]) for a, b in combinations(models, 2)]
                key = f"{group}_{name}".lstrip("_")
                told |= {key: value, f"{key}_scatter": _in_units(value, pairs)}
        less, pairs = (
            found.relearning - retrained.relearning,
            [a.relearning - b.relearning for a, b in combinations(models, 2)],
        )
        told |= {"relearning": _known(found.relearning), "relearning_less": _known(less)}
        told["relearning_scatter"] = _in_units(less, [abs(pair) for pair in pairs])
        return told | self.membership(found) | {"forgotten_auc": _known(auc(found.forgotten, self._right()))}

    def membership(self, found: Answered) -> dict[str, float | None]:
        """Of an attack by a threshold on the loss."""
        return self._attacked("membership", *self._familiar(found))

    def shadows(self, encoder: Encoder, count: int) -> tuple[Shadows, NDArray[np.bool_]]:
        """As `shadows_of`; of the rows that are asked about, the deleted ones first."""
        apart = self._forgotten | self._unseen
        work, inside = shadows_of(self._rows, (self._gone, apart), encoder, self._config, count)
        return work, np.concatenate([inside[:, self._forgotten], inside[:, self._unseen]], axis=1)

    def likelihood_ratio(
        self, found: Answered, shadows: Sequence[Answered], inside: NDArray[np.bool_]
    ) -> dict[str, float | None]:
        """Of an attack by a likelihood ratio.

        Args:
            inside: (K, n) which of these rows taught each shadow model, as `shadows` gives it.
        """
        confidences = np.stack([confidence(np.concatenate(self._familiar(each))) for each in (found, *shadows)])
        ratio, count = likelihood_ratio(confidences[0], confidences[1:], inside), int(self._forgotten.sum())
        return self._attacked("lira", ratio[:count], ratio[count:])

    def _familiar(self, found: Answered) -> tuple[Scores, Scores]:
        """The log-likelihood of what happened."""
        task, places = task_of(self._config), (self._forgotten, self._unseen)
        parts = zip((found.forgotten, found.unseen), places, strict=True)
        forgotten, unseen = (task.log_likelihood(scores, self._labels[where]) for scores, where in parts)
        return forgotten, unseen

    def _attacked(self, name: str, forgotten: Scores, unseen: Scores) -> dict[str, float | None]:
        seen = attack(forgotten, unseen, (self._user[self._forgotten], self._user[self._unseen]))
        return {f"{name}_{key}": _known(value) for key, value in asdict(seen).items()}

    def _right(self) -> NDArray[np.int8]:
        return np.asarray(self._labels[self._forgotten], np.int8)


def _in_units(value: float, scatter: Sequence[float]) -> float | None:
    """A distance in units of the mean of others; None where there are none, or it is unknown."""
    unit = float(np.mean(scatter)) if scatter else 0.0
    return _known(value / unit) if unit else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
