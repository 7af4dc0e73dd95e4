"""Relearning speed: how fast a model learns back what it was to forget (after the relearn time of Golatkar et al.,
ECCV 2020, arXiv 2003.02960).

    relearning = mean loss of the deleted rows over one pass of training on them, each asked before it teaches (nats)

What a model still knows comes back sooner: less than the retrained model's is a trace that was left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Interactions
from fedrec.models.adapter import State
from fedrec.tasks import task_of
from fedrec.training.lesson import Lesson
from fedrec.training.loop import train
from fedrec.training.step import Learning
from unlearning.central.answering import AnsweringModel

_WINDOWS = 24


def relearning(model: AnsweringModel, adapter: State, rows: Interactions, deleted: NDArray[np.bool_]) -> float:
    """
    Args:
        model: whose base and encoder the adapter is read with.
        deleted: (n,) of the rows.
    """
    windows = model.encoder.windows(rows, deleted)
    key = (model.config.seed, "relearning", 0, 0)
    chosen = np.sort(np.random.default_rng(model.config.seed).permutation(len(windows))[:_WINDOWS])
    lesson = Lesson(
        [windows[i] for i in chosen],
        task_of(model.config).labels(rows),
        rows.user,
        model.encoder.readout,
        key,
        round=0,
        rounds=1,
    )
    once = model.config.train.model_copy(update={"epochs": 1, "stop": "never", "warmup": 0})
    return train(Learning(model.base.model, model.config.lora, adapter, lesson, once)).loss
