"""The rows of a split as a sharded model answers them now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.ensemble.evaluation import Evaluated, evaluate
from fedrec.tasks import task_of
from unlearning.central.answering import AnsweringModel
from unlearning.central.freshness import check_current
from unlearning.central.model_folder import CENTRAL, ModelFolder


def evaluate_split(model: ModelFolder, split: int) -> list[Evaluated]:
    """One part, of all that the model holds.

    Raises:
        FedrecError: it is not trained yet, or is an old copy that was put back.
    """
    check_current(model)
    opened = AnsweringModel(model.folder)
    opened.ensemble.hashes()
    rows, task = opened.interactions, task_of(opened.config)
    try:
        return [evaluate(opened.answers, opened.encoder, task, rows, split, CENTRAL, _shards_of_people(opened))]
    finally:
        opened.answers.close()


def _shards_of_people(model: AnsweringModel) -> NDArray[np.int32]:
    """(users,) the shard that a person teaches; -1 where none, or several."""
    shards = np.full(len(model.interactions.user_ids), -1, np.int32)
    teach = model.table.assignment.shard >= 0
    user, shard = model.interactions.user[teach], model.table.assignment.shard[teach]
    shards[user] = shard
    split_up = user[shards[user] != shard]
    shards[split_up] = -1
    return shards
