"""Split equals unsplit: the same loss, gradients and adapters, whoever computes the middle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fedrec.config import LoraConfig
from fedrec.models.adapter_bank import initial_state
from fedrec.models.item_tokens import extended
from fedrec.models.split import SplitPlan, server_part
from fedrec.protocol.adapters import ITEMS_A
from fedrec.training.coded import Coded
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Validation
from fedrec.training.loop import train
from fedrec.training.middle import MiddleHere
from fedrec.training.plain_step import Plain
from fedrec.training.split_step import SplitLearning, SplitStep, SplitStopping, split
from fedrec.training.state_bytes import Wire
from fedrec.training.step import Learning
from tests.models.tiny import FAMILIES, deep_model
from tests.training.test_item_rows import CONFIG, lesson

BLOCKS = 5
STEPS = {"epochs": 4, "batch": 5, "lr": 1e-3, "clip": 0.3}  # 24 windows: 20 steps


def learning(family: str, items: int = 9, **changes: Any) -> Learning:
    model = extended(deep_model(family, BLOCKS), ((3, 5),) * items, 4)
    lora = LoraConfig(rank=2, **changes.pop("lora", {}))
    told = lesson(list(range(1, items)))
    rows = Validation(told.windows[:4], told.labels)
    config = CONFIG.model_copy(update=STEPS | changes)
    return Learning(model, lora, initial_state(model, lora, 0), replace(told, validation=rows), config)


def parted(told: Learning, plan: SplitPlan) -> SplitLearning:
    return split(told, plan, MiddleHere(server_part(told.model, plan)))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-5, atol=1e-5, msg=name)


@given(family=st.sampled_from(sorted(FAMILIES)), head=st.integers(1, 3), tail=st.integers(1, 3), stop=st.booleans())
@settings(max_examples=4, deadline=None)
def test_the_adapter_is_that_of_the_whole_after_twenty_steps(family: str, head: int, tail: int, stop: bool) -> None:
    if head + tail >= BLOCKS:
        return
    told = with_item_rows(learning(family, stop="validation" if stop else "never"))
    whole = train(told)
    here = train(parted(told, SplitPlan(head, tail)), step=SplitStep, stopping=SplitStopping)
    assert whole.steps == here.steps == 20
    assert not torch.equal(whole.state[ITEMS_A], told.start[ITEMS_A])
    assert here.loss == pytest.approx(whole.loss, abs=1e-5)
    same(here.state, whole.state)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_gradients_are_those_of_the_whole(family: str) -> None:
    told = learning(family)
    batch = [replace(window, ids=window.ids[: 2 + i]) for i, window in enumerate(told.lesson.windows[:3])]
    batch = [replace(window, at=window.at[:1] * 0 + len(window.ids) - 1) for window in batch]  # of unequal lengths
    whole, here = Plain(told), SplitStep(parted(told, SplitPlan(2, 1)))
    assert whole.backward(batch) == pytest.approx(here.backward(batch), abs=1e-5)
    parts = [here.bank, here.session.bank]  # type: ignore[attr-defined]
    found = {name: stack for part in parts for name, stack in part.named_layers()}
    assert found.keys() == dict(whole.bank.named_layers()).keys()
    for name, stack in whole.bank.named_layers():
        torch.testing.assert_close(found[name].B.grad, stack.B.grad, rtol=1e-4, atol=1e-6)
    rows, mine = whole.bank.items, here.bank.items
    assert rows is not None
    assert mine is not None
    torch.testing.assert_close(mine.A.grad, rows.A.grad, rtol=1e-4, atol=1e-6)


def test_what_pulls_pulls_the_middle_too() -> None:
    told = learning("llama", stop="never")
    anchor = initial_state(told.model, told.lora, 7)
    told = replace(told, pull=3.0, anchor=anchor)
    whole = train(told).state
    same(train(parted(told, SplitPlan(1, 1)), step=SplitStep, stopping=SplitStopping).state, whole)
    free = train(replace(told, pull=0.0)).state
    assert any(not torch.allclose(free[name], whole[name], atol=1e-3) for name in free)


@pytest.mark.parametrize(
    ("item_lr", "targets", "wanted"), [(0.1, (3, 4), True), (0.0, (3, 4), False), (0.0, (0, 3), True)]
)
def test_a_gradient_is_sent_down_where_something_learns_there(
    item_lr: float, targets: tuple[int, ...], wanted: bool
) -> None:
    names = tuple(f"model.layers.{i}.mlp.up_proj" for i in targets)
    told = learning("llama", item_lr=item_lr, stop="never", lora={"targets": names})
    step = SplitStep(parted(told, SplitPlan(1, 1)))
    asked: list[bool] = []
    backward = step.session.backward
    step.session.backward = lambda gradient, below: asked.append(below) or backward(gradient, below)  # type: ignore
    step.backward(told.lesson.windows[:2])
    assert asked == [wanted]


@pytest.mark.parametrize(("wire", "apart"), [("fp32", 1e-5), ("bf16", 1e-3), ("fp16", 1e-4), ("int8", 1e-3)])
def test_what_the_wire_loses_makes_little_difference(wire: Wire, apart: float) -> None:
    told, plan = learning("llama", stop="never", epochs=1, lr=5e-4), SplitPlan(1, 1)
    link = Coded(MiddleHere(server_part(told.model, plan)), wire)
    assert train(split(told, plan, link), step=SplitStep).loss == pytest.approx(train(told).loss, abs=apart)


def test_dropout_is_the_same_each_time_and_nobody_elses_business() -> None:
    told = learning("llama", stop="never", lora={"dropout": 0.3})
    learnt = [parted(told, SplitPlan(1, 1)) for _ in range(2)]
    one, other = (train(each, step=SplitStep).state for each in learnt)
    for name in one:
        assert torch.equal(one[name], other[name])
