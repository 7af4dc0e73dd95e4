"""Shadow models learn as the model that is attacked did."""

from __future__ import annotations

from dataclasses import replace

import torch

from fedrec.models.adapter import initial_state
from fedrec.training.item_start import with_item_rows
from fedrec.training.loop import train
from fedrec.training.step import Learning
from tests.unlearning.approximate.test_work import CONFIG, LORA, MODEL, RETAINED
from unlearning.comparison.shadows import Shadows


def test_their_rows_begin_with_titles_effects_and_answers_are_asked_without_their_own_share() -> None:
    config = CONFIG.model_copy(update={"epochs": 1})
    lessons = tuple(replace(RETAINED, key=(k, "shadow", k, 0)) for k in range(2))
    found = Shadows(lessons, (5, 6), LORA, config).run(MODEL, lambda *_: None)
    for state, seed, lesson in zip(found, (5, 6), lessons, strict=True):
        alone = train(with_item_rows(Learning(MODEL, LORA, initial_state(MODEL, LORA, seed), lesson, config))).state
        for name in alone:
            torch.testing.assert_close(state[name], alone[name], rtol=2e-3, atol=2e-5)
