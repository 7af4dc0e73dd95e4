"""Adapters that learn together are those that learn alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fedrec.models.adapter_bank import initial_state
from fedrec.protocol.adapters import ITEMS_A
from fedrec.training.loop import train
from fedrec.training.step import Learning
from fedrec.training.together import train_together
from tests.training.test_item_rows import base, learning


def pupils(schedule: str, lengths: tuple[int, ...]) -> list[Learning]:
    model = base(12)
    told = learning(model, [1, 2, 3, 7, 8], epochs=2, schedule=schedule, clip=0.05, stop="never", warmup=2)
    found = []
    for number, length in enumerate(lengths):
        lesson = replace(told.lesson, windows=told.lesson.windows[:length], key=(number, "shadow", 0, 0))
        found.append(replace(told, lesson=lesson, start=initial_state(model, told.lora, number)))
    return found


@pytest.mark.parametrize(("schedule", "lengths"), [("cosine", (12, 12, 12)), ("constant", (20, 8, 3))])
def test_each_learns_what_it_learns_alone(schedule: str, lengths: tuple[int, ...]) -> None:
    """Of unequal lessons only where no schedule differs by their length."""
    together = train_together(told := pupils(schedule, lengths))
    for state, each in zip(together, told, strict=True):
        alone = train(each).state
        assert not torch.equal(alone[ITEMS_A], each.start[ITEMS_A])
        for name in alone:
            torch.testing.assert_close(state[name], alone[name], rtol=2e-3, atol=2e-5)
