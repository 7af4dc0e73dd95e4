"""What an adapter forgets and what it keeps, as one lesson: retained rows first, those to be forgotten behind them.

Item rows are part of it. A row that only forgotten people taught begins and stays as the initial adapter has it
(it has none), where retraining without them leaves it; the student has no such row that could move. Other rows are
reset (`unlearning.approximate.item_rows`). A retained answer is asked without its own share of its row, as in training;
one that is to be forgotten is asked as anybody would ask it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fedrec.config import TrainConfig
from fedrec.data.prompts import Window
from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.protocol.adapters import ITEMS_A, ROWS
from fedrec.protocol.item_rows import rows_of, with_some
from fedrec.training.item_start import titles_told
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning, items_read
from unlearning.approximate.item_rows import reset_rows
from unlearning.shards.training import Forgotten, ShardTraining


@dataclass(frozen=True, kw_only=True)
class Forgetting(Learning):
    """An adapter that is to forget; its lesson's windows are of both kinds.

    Attributes:
        first: the rows from this one on are to be forgotten.
        initial: an adapter that learnt nothing.
        original: what teachers are made of: `start`, or, where rows are not reset, the adapter with all it has learnt.
        reset: whether titles' effects are those of the retained answers.
    """

    first: int
    initial: State
    original: State
    reset: bool

    def forgets(self, window: Window) -> bool:
        return bool(window.rows[0] >= self.first)

    @property
    def retained(self) -> list[Window]:
        return [window for window in self.lesson.windows if not self.forgets(window)]

    @property
    def forgotten(self) -> list[Window]:
        return [window for window in self.lesson.windows if self.forgets(window)]

    @property
    def items(self) -> Tensor | None:
        """(m,) the items that retained windows read: those whose rows the student has."""
        return items_read(self.model, self.retained)


def forgetting(
    model: torch.nn.Module, training: ShardTraining, forgotten: Forgotten, settings: TrainConfig, reset: bool = True
) -> Forgetting:
    """
    Args:
        training: of the shard from the retained rows.
        settings: of the unlearning.
        reset: take titles' effects of the answers to be forgotten off the rows.
    """
    kept, gone = training.job.lessons[-1], forgotten.lesson
    first = len(kept.labels)
    lesson = Lesson(
        windows=[*kept.windows, *(_behind(window, first) for window in gone.windows)],
        labels=np.concatenate([kept.labels, gone.labels]),
        users=np.concatenate([kept.users, gone.users]),
        readout=kept.readout,
        key=(kept.key[0], "forget", *kept.key[2:]),
        round=0,
        rounds=1,
        validation=kept.validation,
        clients=kept.clients,
        shards=kept.shards,
    )
    every = Learning(model, training.lora, forgotten.adapter, lesson, training.settings)
    told, left = titles_told(every), titles_told(replace(every, lesson=replace(lesson, windows=kept.windows)))
    adapter, own = forgotten.adapter, None
    if told is not None and left is not None:
        if reset:
            adapter = reset_rows(adapter, (told[0], told[1].effect), (left[0], left[1].effect))
        own = ((left if reset else told)[1].own / lesson.clients).astype(np.float32)  # of a mean, as in training
        own[first:] = 0
    start = without_lost_items(adapter, training.start, items_read(model, kept.windows))
    return Forgetting(
        model,
        training.lora,
        start,
        lesson,
        settings,
        own=own,
        first=first,
        initial=training.start,
        original=start if reset else adapter,
        reset=reset,
    )


def without_lost_items(adapter: State, initial: State, kept: Tensor | None) -> State:
    """The adapter with the rows of all items but the kept ones, (m,), as an adapter has them that learnt nothing."""
    if kept is None:
        return adapter
    items = kept.numpy().astype(np.int32)
    left = with_some(to_arrays(initial), items, rows_of(to_arrays(adapter), items))
    return {**adapter, **to_state({name: left[name] for name in (ITEMS_A, ROWS)})}


def some_of(lesson: Lesson, windows: Sequence[Window], most: int) -> Lesson:
    """The lesson of so many of some windows at most, drawn by its key."""
    drawn = np.random.default_rng(lesson.seed).permutation(len(windows))[:most]
    return replace(lesson, windows=[windows[i] for i in np.sort(drawn)])


def _behind(window: Window, first: int) -> Window:
    return replace(window, rows=window.rows + first, first=window.first + first)
