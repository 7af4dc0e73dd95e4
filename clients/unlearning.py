"""A client's part in forgetting approximately: E2URec on the erased rows that wait here, beside the rows that are left.

Where item rows are means of several clients', titles' effects move as in any round (`fedrec.training.item_mean`), by
the answers that are left; where they are the client's own, what the erased answers had added is taken off. Of an item
that only erased rows were about here the client sends no row, so that it has no part in the others' mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch

from clients.client import Client
from fedrec.ensemble import erasure_steps
from fedrec.errors import FedrecError
from fedrec.models.adapter import initial_state, to_arrays, to_state
from fedrec.protocol.adapters import ROWS, Model, State
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.item_precision import without_known
from fedrec.protocol.item_rows import ItemAnswers, rows_of, with_some
from fedrec.strategies.strategy import Learnt
from fedrec.training.item_mean import towards_all
from fedrec.training.item_start import answers_by_item
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning, items_read
from fedrec.training.stopping import mean_loss
from unlearning.approximate.work import Unlearning
from unlearning.methods import method_named
from unlearning.methods.approximate import FineTuning
from unlearning.shards.training import Forgotten, Job, ShardTraining

METHOD = "e2urec"


class _Unlearned(NamedTuple):
    """An adapter, its mean loss on the rows that are left, and how many answers of theirs are about which item."""

    state: State
    loss: float
    answers: ItemAnswers | None


def unlearn(client: Client, number: int, model: Model, shards: Sequence[int], requests: Sequence[str]) -> TrainAnswer:
    """The adapters of some shards without what the erased rows of some requests had taught.

    Args:
        number: the round whose training the other clients repeat.
        model: the adapters that learned from the rows, one of each shard.

    Raises:
        FedrecError: the client's policy does not allow the run's training, or the run has a privacy budget.
    """
    client.agrees()
    if client.config.privacy.active:
        raise FedrecError(
            f"client {client.name} forgets nothing without noise: the run has a privacy budget; train again"
        )
    gone = erasure_steps.erased_lesson(client, requests)
    if not gone.windows:
        answer = client.train(number, model, shards)
    else:
        lessons = [*client.lessons(shards, number)]
        found = [_unlearned(client, *each, gone) for each in zip(shards, model, lessons, strict=True)]
        learnt = Learnt(
            [each.state for each in found],
            tuple(each.loss for each in found),
            tuple(sum(len(window.rows) for window in lesson.windows) for lesson in lessons),
            tuple(each.answers for each in found),
        )
        adapters = client.with_answers(learnt)
        answer = TrainAnswer(
            client=client.name, round=number, adapters=adapters, loss=learnt.losses, examples=learnt.rows
        )
    for shard in shards:
        for each in range(1, client.config.federation.rounds + 1):
            client.note_use(shard, each)  # what all of them taught stands for the rows that are left now
    return answer


def _unlearned(client: Client, shard: int, sent: State, lesson: Lesson, gone: Lesson) -> _Unlearned:
    config, base = client.config, client.base.model
    received, known = without_known(sent)
    initial = initial_state(base, config.lora, config.seed)
    if not lesson.windows:  # nobody is left here, and what came from others is theirs to mend
        return _Unlearned(_with_others(base, to_arrays(initial), received, lesson, gone), 0.0, None)
    mean = lesson.clients > 1 and known is not None
    training = ShardTraining(Job(shard, (lesson,), ("",)), 0, initial, config.lora, config.train)
    approach = cast(FineTuning, method_named(f"{METHOD}:item_rows={'kept' if mean else 'reset'}", 1))
    state = Unlearning(approach, training, Forgotten(to_state(received), gone)).run(base, lambda *_: None).states[-1]
    learning = Learning(base, config.lora, to_state(received), lesson, config.train)
    whole = to_state(_with_others(base, to_arrays(state), received, lesson, gone))
    if mean:  # titles' effects of all answers but the erased ones: a step of everybody's
        whole = towards_all(learning, whole, 1.0)
    return _Unlearned(to_arrays(whole), mean_loss(learning, state), answers_by_item(learning))


def _with_others(model: torch.nn.Module, state: State, received: State, kept: Lesson, gone: Lesson) -> State:
    """The adapter with the received rows of the items that neither kept nor erased rows are about."""
    read = items_read(model, [*kept.windows, *gone.windows])
    if read is None:
        return state
    others = np.setdiff1d(received[ROWS], read.numpy().astype(np.int32))
    return with_some(state, others, rows_of(received, others))
