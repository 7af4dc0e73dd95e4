"""The step of every approximate method: batches by its schedule, the gradient of its loss, and AdamW as in training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import Routed
from fedrec.training.batches import bucketed
from fedrec.training.item_step import prior_of
from fedrec.training.plain_step import Plain
from unlearning.approximate.answers import Answers, Teacher
from unlearning.approximate.approach import Approach
from unlearning.approximate.lesson import Forgetting
from unlearning.approximate.teachers import Teachers


class ForgettingStep(Plain):
    """First the rows to be forgotten alone, then each batch of them beside a batch of retained rows."""

    def __init__(self, learning: Forgetting, approach: Approach, adapters: Mapping[Teacher, State]) -> None:
        super().__init__(learning)
        self.forgetting, self.approach, self.teachers = learning, approach, Teachers(learning, adapters)
        batches = math.ceil(len(learning.forgotten) / learning.config.batch)
        self.alone, self.paired = math.ceil(approach.alone * batches), math.ceil(approach.paired * batches)

    @property
    def steps(self) -> int:
        return self.alone + self.paired

    @property
    def shrink(self) -> float:
        """As much of it as there are passes over the retained rows: the prior is of all of them."""
        learning = self.forgetting
        passes = self.paired * learning.config.batch / max(1, len(learning.retained))
        return prior_of(learning.config, learning.lesson) * passes / self.steps

    def batches(self) -> Iterator[list[Window]]:
        gone = self._passes(self.forgetting.forgotten, 0)
        yield from islice(gone, self.alone)
        kept = self._passes(self.forgetting.retained, 1)
        for forget, retain in islice(zip(gone, kept, strict=False), self.paired):
            yield [*forget, *retain]

    def backward(self, batch: list[Window]) -> tuple[float, int]:
        learning = self.forgetting
        logits, labels = learning.logits(batch, self.bank, Routed(0)), learning.labels(batch)
        labels, told = labels.to(logits.device), self.teachers.answers(batch)
        rows = sum(len(window.rows) for window in batch if learning.forgets(window))  # they stand first

        def part(where: slice) -> Answers:
            teachers = {name: answers[where] for name, answers in told.items()}
            return Answers(logits[where], labels[where], learning.lesson.readout, teachers)

        retain = part(slice(rows, None)) if rows < len(labels) else None
        loss = self.approach.loss(part(slice(rows)), retain)
        loss.backward()
        return loss.item() * len(labels), len(labels)

    def close(self) -> None:
        self.teachers.close()
        super().close()

    def _passes(self, windows: Sequence[Window], of: int) -> Iterator[list[Window]]:
        """Pass after pass over some windows, without end; the order follows from the lesson's key."""
        generator = np.random.default_rng((self.forgetting.lesson.seed, of))
        lengths = [len(window.ids) for window in windows]
        while windows:
            for batch in bucketed(lengths, self.forgetting.config.batch, generator):
                yield [windows[i] for i in batch]
