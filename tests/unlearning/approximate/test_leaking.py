"""A model that remembers is told from one that never met the rows; one that forgot is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routed, initial_state
from fedrec.models.item_tokens import extended
from fedrec.privacy.attacks.membership import Attack, attack
from fedrec.tasks.like import YesOrNo
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson
from fedrec.training.loop import train
from fedrec.training.step import Learning
from tests.models.tiny import VOCABULARY, tiny_model
from tests.unlearning.approximate.test_work import CONFIG as TRAIN
from tests.unlearning.approximate.test_work import LORA, both
from unlearning.methods import method_named
from unlearning.shards.training import Forgotten, Job, ShardTraining

CONFIG = TRAIN.model_copy(update={"item_lr": 0.05, "batch": 12})
ITEMS = 120
MODEL: Any = extended(tiny_model("llama"), tuple((3 + item % 20, 5) for item in range(ITEMS)), 4)
INITIAL = initial_state(MODEL, LORA, 0)


def noisy(n: int, seed: int) -> Lesson:
    """Each person's answer to one title: what most say of it, or the other."""
    random = np.random.default_rng(seed)
    items = random.permutation(np.arange(n) % ITEMS)
    labels = (items % 2) ^ (random.random(n) < 0.35)
    windows = [
        Window(np.array([5, VOCABULARY + item]), np.array([1]), np.array([i]), i) for i, item in enumerate(items)
    ]
    users = np.arange(n, dtype=np.int32) + 1000 * seed
    return Lesson(windows, labels.astype(np.int8), users, YesOrNo((1, 2)), (1, "shard", 0, 0), 0, 1)


RETAINED, FORGET, UNSEEN = noisy(60, 1), noisy(240, 2), noisy(720, 3)


def trained(of: Lesson) -> State:
    """By answers that are asked with their own share of their title's effect: so a model learns to tell them."""
    return train(replace(with_item_rows(Learning(MODEL, LORA, INITIAL, of, CONFIG)), own=None)).state


@torch.no_grad()
def familiar(adapter: State, of: Lesson) -> np.ndarray:
    learning = Learning(MODEL, LORA, adapter, of, CONFIG)
    with AdapterBank(MODEL, LORA, items=learning.items) as bank:
        bank.load(0, adapter)
        return -learning.loss(list(of.windows), bank, Routed(0), each=True).double().numpy()


def attacked(adapter: State) -> Attack:
    return attack(familiar(adapter, FORGET), familiar(adapter, UNSEEN), (FORGET.users, UNSEEN.users))


def test_who_was_a_member_is_known_before_and_not_after() -> None:
    original, retrained = trained(both(RETAINED, FORGET)), trained(RETAINED)
    training = ShardTraining(Job(0, (RETAINED,), ("digest",)), 0, INITIAL, LORA, CONFIG)

    def forgot(how: str) -> State:
        work = method_named(how, 1).work(training, Forgotten(original, FORGET))
        return work.run(MODEL, lambda *_: None).states[-1]

    before, never, after, published = map(
        attacked, (original, retrained, forgot("e2urec"), forgot("e2urec:item_rows=kept"))
    )
    assert before.auc_low > never.auc_high, (before, never)
    assert after.auc_low < never.auc_high and after.auc_high > never.auc_low, "the intervals overlap"
    assert after.auc_high < before.auc_low and after.auc < published.auc < before.auc
