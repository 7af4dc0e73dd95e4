"""Which windows share a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fedrec.config import TrainConfig
from fedrec.data.prompts import Window
from fedrec.training.lesson import Lesson


def batches(lesson: Lesson, config: TrainConfig) -> Iterator[list[Window]]:
    """The windows of each step, over all passes; their order follows from the lesson's key."""
    generator = np.random.default_rng(lesson.seed)
    lengths = [len(window.ids) for window in lesson.windows]
    for _ in range(config.epochs):
        for batch in bucketed(lengths, config.batch, generator):
            yield [lesson.windows[i] for i in batch]


def bucketed(lengths: Sequence[int], batch: int, generator: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Every index once, in random batches of similar length: shuffled, sorted within 16 batches, batches shuffled."""
    order = generator.permutation(len(lengths))
    pool = batch * 16
    chunks = [order[i : i + pool] for i in range(0, len(order), pool)]
    batches = []
    for chunk in chunks:
        chunk = chunk[np.argsort([lengths[i] for i in chunk], kind="stable")]
        batches += [chunk[i : i + batch] for i in range(0, len(chunk), batch)]
    return [batches[i] for i in generator.permutation(len(batches))]
