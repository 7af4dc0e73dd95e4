"""A sharded model as it is asked: its rows, its base, and the adapters that are served, answering together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.base_models.recorded import base_of
from fedrec.data.dataset import TEST, VALID, Interactions
from fedrec.data.evaluation_sample import ranked_at_split
from fedrec.data.user_hash import drawn
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.at_split import scores_at_split
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.validation import Judgement, judge, read_judgement
from fedrec.models.adapter import State
from fedrec.models.base import Base
from fedrec.privacy.disclosure import ScoredRows
from fedrec.scoring import by_person
from fedrec.tasks import encoder_of, task_of
from fedrec.tasks.task import Encoder
from unlearning.central.model_folder import TABLE, ModelFolder
from unlearning.central.row_table import RowTable
from unlearning.central.validation import scores_by_crew
from unlearning.compute.workers import Crew
from unlearning.methods.method import Method
from unlearning.partition.features import fill_vectors


class AnsweringModel:
    """A model in a folder; it is a holder of rows, as `fedrec.ensemble.erasure_steps` has it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.at_rest = folder, ModelFolder(folder)
        self.config, self.method, self.catalogue = self.at_rest.config, self.at_rest.method, self.at_rest.catalogue
        self.vault, self.ensemble = self.at_rest.vault, self.at_rest.ensemble
        self.table: RowTable = self.at_rest.table
        hardware.use_threads(self.config.train)

    @cached_property
    def base(self) -> Base:
        return base_of(self.folder, self.config, self.catalogue)

    @cached_property
    def encoder(self) -> Encoder:
        return encoder_of(self.config, self.catalogue, self.base)

    @property
    def shards(self) -> range:
        return range(self.method.shards)

    # rows

    @property
    def interactions(self) -> Interactions:
        return self.table.interactions

    def learned(self, gone: NDArray[np.bool_]) -> tuple[int, ...]:
        """The shards whose training read one of these rows."""
        return self.table.assignment.that_saw(self.interactions, gone, self.config.train)

    def members(self, shards: Collection[int]) -> NDArray[np.bool_]:
        """(users,) who teaches one of these shards."""
        teaches = np.isin(self.table.assignment.shard, list(shards))
        return np.bincount(self.interactions.user[teaches], minlength=len(self.interactions.user_ids)) > 0

    def reload(self) -> None:
        """The rows as the vault has them now, with what is known of each."""
        self._keep(self.at_rest.table)

    def _keep(self, table: RowTable) -> None:
        self.table = table
        table.save(self.folder / TABLE, self.catalogue)

    # answers

    @cached_property
    def answers(self) -> ServedModel:
        """The shards that are served, together: a snapshot, replaced whenever others are."""
        return self.answers_by(self.method)

    def test_scores(self, answers: ServedModel | None = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(n,) like-probability of the test rows, each from its user's rows before it, NaN for others; which they are.

        A person's scores do not depend, not even in their last bits, on who else is there.

        Args:
            answers: who is asked; those that are served if None.
        """
        rows = self.interactions
        test = rows.split == TEST
        return (answers or self.answers).scores(self.encoder.windows(rows, test), len(rows), by_person(rows.user)), test

    def metrics(
        self, scores: NDArray[np.float64], wanted: NDArray[np.bool_], at_split: NDArray[np.float64] | None = None
    ) -> dict[str, float]:
        """What the task measures of scores (n,) on some rows, and of those at the split (n,), if they are known."""
        task, rows = task_of(self.config), self.interactions
        known = None if at_split is None else at_split[wanted]
        return task.measure(scores[wanted], task.labels(rows)[wanted], rows.user[wanted], known)

    def margins(
        self, scores: NDArray[np.float64], wanted: NDArray[np.bool_], at_split: NDArray[np.float64] | None
    ) -> dict[str, float]:
        """Half the width of the 95 % intervals over people of those metrics."""
        task, rows = task_of(self.config), self.interactions
        known = np.full(len(rows), np.nan) if at_split is None else at_split
        labels, people = task.labels(rows)[wanted].astype(np.int8), rows.user[wanted].astype(np.int64)
        return task.margins([ScoredRows(scores[wanted], labels, people, known[wanted])])

    def scores_at_split(self, last: bool, answers: ServedModel | None = None) -> NDArray[np.float64] | None:
        """(n,) of the test rows from each person's history at the split, if `evaluate.at_split` asks for it."""
        if not ranked_at_split(self.config.evaluate, last):
            return None
        rows = self.interactions
        return scores_at_split(answers or self.answers, self.encoder, rows, rows.split == TEST)

    def answers_by(self, method: Method) -> ServedModel:
        """How the shards that are served would answer by another aggregator, or with other settings of it.

        One that judges them needs a model whose own aggregator does, so that there are judgements.
        """
        adapters = self.ensemble.adapters() if self.ensemble.entries is not None else {}
        judged = self._judged(method) if adapters else Judged.nobody(self.method.shards)
        return self._together(adapters, judged, method)

    def answers_of(self, adapters: Mapping[int, State], judged: Judged | None = None) -> ServedModel:
        """How some adapters, by shard, answer together; without judged rows they count equally."""
        if judged is None:
            equally = self.method.model_copy(update={"aggregator": "average-nd"})
            return self._together(adapters, Judged.nobody(self.method.shards), equally)
        return self._together(adapters, replace(judged, centres=self._centres()), self.method)

    def _together(self, adapters: Mapping[int, State], judged: Judged, method: Method) -> ServedModel:
        config = self.config.model_copy(update={"aggregator": method.aggregator, "aggregation": method.aggregation})
        return ServedModel(self.base, config, self.encoder.readout, adapters, judged)

    def judged_by(self, adapters: Mapping[int, State], crew: Crew | None = None) -> Judgement:
        """What weighs adapters, by shard, against each other; what is known already is not computed again."""
        rows = self.interactions
        vectors = fill_vectors(self.base, self.encoder, rows, self.table.vectors)
        self._keep(replace(self.table, vectors=vectors))
        wanted = judging(rows, self.method, self.config.seed)
        before = read_judgement(self.ensemble.rehearsed_path) or read_judgement(self.ensemble.judged_path)
        precision, lora, readout = self.base.precision, self.config.lora, self.encoder.readout
        alone = partial(scores_by_crew, crew, precision, lora, readout, rows.user) if crew else None
        return judge(self.base, self.config, self.encoder, rows, wanted, adapters, before, alone, vectors)

    def _judged(self, method: Method) -> Judged:
        """The rows that weigh the shards, with the shards' centres."""
        return replace(self.ensemble.judged(self.method.shards, method.aggregator), centres=self._centres())

    def _centres(self) -> NDArray[np.float32]:
        """(S, d) the mean vector of each shard's training rows."""
        table = self.table
        centres = np.zeros((len(self.shards), table.vectors.shape[1]), np.float32)
        for shard in np.unique(table.assignment.shard[table.assignment.shard >= 0]):
            centres[shard] = table.vectors[table.assignment.shard == shard].mean(axis=0)
        return centres


def judging(rows: Interactions, method: Method, seed: int) -> NDArray[np.bool_]:
    """(n,) the validation rows that judge the shards, if the method has any: those of some users, by a keyed hash."""
    if not method.answers.judges:
        return np.zeros(len(rows), bool)
    return np.asarray(drawn(rows, method.aggregation.validation, seed) & (rows.split == VALID))
