"""In-context unlearning (Pawelczyk, Neel and Lakkaraju, ICML 2024, arXiv 2310.07579): no weight changes. Whatever is
asked is read behind forgotten rows with the other answer, and some retained rows with the right one.

It has to keep the rows it forgets, for as long as it answers, so it is here to be compared with, and no model in a
folder can be served by it: opened again, it answers as before.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from pydantic import Field

from fedrec.data.dataset import TRAIN, Interactions
from fedrec.tasks.task import Encoder
from unlearning.compute.workers import Work
from unlearning.methods.approximate import Approximate
from unlearning.shards.training import Forgotten, ShardTraining, Trained


class InContext(Approximate):
    flipped: int = Field(6, ge=1, description="forgotten rows, with the other answer, that stand before a window")
    right: int = Field(4, ge=0, description="retained rows, with the right one, behind them")

    def work(self, training: ShardTraining, forgotten: Forgotten | None) -> Work[Trained]:
        return training if forgotten is None else _Kept(training.shard, forgotten)

    def reading(self, encoder: Encoder, gone: Interactions, kept: Interactions, seed: int) -> Encoder:
        template, draw = encoder.template, np.random.default_rng(seed)
        prefix, room = list(template.prefix), encoder.length // 2  # the rest is for what is asked
        for rows, wanted, flip in ((gone, self.flipped, 1), (kept, self.right, 0)):
            teaching = np.flatnonzero(rows.split == TRAIN)
            for row in draw.permutation(teaching)[:wanted]:
                example = encoder.answered(int(rows.item[row]), int(rows.label[row]) ^ flip)
                prefix += example if len(prefix) + len(example) <= room else ()
        behind = copy(encoder)
        behind.template = replace(template, prefix=tuple(prefix))
        behind.past = max(0, min(encoder.past, encoder.length - len(prefix) - max(map(len, encoder.titles))))
        return behind


@dataclass(frozen=True)
class _Kept:
    """The shard as it is."""

    shard: int
    forgotten: Forgotten

    @property
    def key(self) -> Hashable:
        return "in-context", self.forgotten.lesson.key

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> Trained:
        return Trained(self.shard, 0, (self.forgotten.adapter,), rows=0, steps=0, exact=False)
