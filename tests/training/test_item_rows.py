"""Learning item rows: those that are met, at a pace of their own, for what they cost and not what the catalogue has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedrec.config import LoraConfig, TrainConfig
from fedrec.data.prompts import Window
from fedrec.metrics import auc
from fedrec.models.adapter_bank import AdapterBank, Routed, initial_state, state_hash
from fedrec.models.item_tokens import extended, item_frame
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS
from fedrec.scoring import score_windows
from fedrec.tasks.like import YesOrNo
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson
from fedrec.training.loop import train
from fedrec.training.plain_step import Plain
from fedrec.training.step import Learning
from tests.models.tiny import VOCABULARY, tiny_model

LORA = LoraConfig(rank=2)
CONFIG = TrainConfig(lr=1e-3, item_lr=0.1, epochs=4, batch=4, warmup=0, precision="fp32", device="cpu")
CONFIG = CONFIG.model_copy(update={"checkpoint_seconds": 0})


def base(items: int) -> Any:
    """Items that all have one title: only rows tell them apart."""
    return extended(tiny_model("llama"), ((3, 5),) * items, 4)


def lesson(items: list[int], n: int = 24) -> Lesson:
    """Windows of two items, the second of which says what the answer is."""
    random = np.random.default_rng(0)
    windows, labels = [], []
    for row in range(n):
        first, second = random.choice(len(items), 2, replace=False)
        ids = np.array([5, VOCABULARY + items[first], 6, VOCABULARY + items[second]])
        windows.append(Window(ids, np.array([3]), np.array([2 * row + 1]), 2 * row))
        labels += [0, second % 2]
    users = np.arange(2 * n, dtype=np.int32) // 2
    return Lesson(windows, np.array(labels, np.int8), users, YesOrNo((1, 2)), (1, "a", 0, 1), 0, 1)


def learning(model: Any, items: list[int], **settings: Any) -> Learning:
    config = CONFIG.model_copy(update=settings)
    return Learning(model, LORA, initial_state(model, LORA, 0), lesson(items), config)


def test_rows_that_are_met_move_and_no_others() -> None:
    told = learning(base(30), [2, 3, 11, 20])
    outcome = train(told)
    assert outcome.state[ROWS].tolist() == [2, 3, 11, 20]
    assert torch.equal(outcome.state[ITEMS_B], item_frame(4, told.start[ITEMS_B].shape[1]))
    again = train(replace(told, start=outcome.state, lesson=lesson([11, 20, 25, 26])))
    assert torch.equal(again.state[ITEMS_A][:2], outcome.state[ITEMS_A][:2])
    assert again.state[ROWS].tolist() == [2, 3, 11, 20, 25, 26]


def test_rows_learn_which_items_are_liked() -> None:
    items = list(range(8))
    told = learning(base(8), items, epochs=20)
    still = learning(base(8), items, epochs=20, item_lr=0.0)
    assert train(told).loss < train(still).loss - 0.1
    assert not len(train(still).state[ROWS])


def test_a_prior_holds_rows_back() -> None:
    lengths = [
        train(learning(base(8), [0, 1, 2, 3], item_prior=prior)).state[ITEMS_A].norm() for prior in (0.01, 5.0, 50.0)
    ]
    assert lengths[0] > lengths[1] > lengths[2] > 0


def test_a_row_goes_down_the_gradient_of_the_sum_and_never_farther_than_one() -> None:
    """There is nothing of earlier steps in it."""
    step = Plain(learning(base(8), list(range(8))))
    (batch, *_) = step.batches()
    rows = step.bank.items
    assert rows is not None
    (step.learning.loss(batch, step.bank, Routed(0)) * 4).backward()
    gradient = rows.A.grad
    assert gradient is not None
    wanted = -0.1 * gradient / gradient.norm(dim=-1, keepdim=True).clamp(min=1)
    for parameter in step.parameters:
        parameter.grad = None
    step.take(batch, CONFIG.lr)
    torch.testing.assert_close(rows.A.detach(), wanted, rtol=1e-4, atol=1e-6)
    step.close()


@pytest.mark.parametrize("catalogue", [30, 100_000])
def test_a_step_costs_what_it_meets(catalogue: int) -> None:
    """Parameters and gradients are of the lesson's items, however many there are, and an optimiser has no state."""
    step = Plain(learning(base(catalogue), [2, 3, 11, 20]))
    (batch, *_) = step.batches()
    step.take(batch, 1e-3)
    rows = step.bank.items
    assert rows is not None and rows.A.shape == (1, 4, 4)
    assert rows.A not in step.optimiser.state and step.optimiser.state
    kept = step.content()
    assert sum(each.numel() for each in kept["parameters"]) < 10_000
    assert len(step.state()[ROWS]) <= 4
    step.close()


def test_killed_within_a_round_it_ends_the_same(tmp_path: Path) -> None:
    told = learning(base(30), [2, 3, 11, 20])
    expected = state_hash(train(told).state)

    def stop(step: int, steps: int) -> None:
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(told, checkpoint=tmp_path / "kept", on_step=stop)
    assert (tmp_path / "kept").exists()
    assert state_hash(train(told, checkpoint=tmp_path / "kept").state) == expected


def test_an_item_that_nobody_has_met_is_what_its_title_says() -> None:
    """Items of two kinds of titles, one liked: those that came after training are told apart by their text."""
    titles = tuple((3 + item % 2, 3 + item % 2, 7 + item // 2) for item in range(16))
    model = extended(tiny_model("llama"), titles, 4)
    outcome = train(with_item_rows(learning(model, list(range(8)), epochs=20, lr=5e-3)))
    assert outcome.state[ROWS].tolist() == list(range(8))
    windows = [Window(np.array([5, VOCABULARY + item]), np.array([1]), np.array([item])) for item in range(16)]
    with AdapterBank(model, LORA) as bank:
        bank.load(0, outcome.state)
        scores = score_windows(model, windows, YesOrNo((1, 2)), 16, bank=bank, routing=Routed(0))
    new = np.arange(8, 16)
    assert auc(scores[new], (new % 2).astype(np.int8)) > 0.9
    assert abs(scores[new] - 0.5).mean() > 0.05
