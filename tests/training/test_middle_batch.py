"""Clients whose middle is computed in one pass learn what they learn alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fedrec.config import LoraConfig
from fedrec.models.adapter_bank import AdapterBank
from fedrec.models.split import SplitPlan, server_part
from fedrec.training.middle import Begin, MiddleSession, go_back
from fedrec.training.middle_batch import forward_together
from tests.models.tiny import FAMILIES, deep_model, noise

LENGTHS = [(3, 5), (2,), (4, 1, 1)]


def opened(family: str) -> list[MiddleSession]:
    middle = server_part(deep_model(family, 4), SplitPlan(1, 1))
    lora = LoraConfig(rank=2)
    shapes = AdapterBank(middle.layers, lora).shapes
    states = [noise(shapes, torch.Generator().manual_seed(seed), 0.3) for seed in range(3)]
    return [MiddleSession(middle, Begin(state, lora, pull=0.1)) for state in states]


def numbers(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(sum(theirs), 16, generator=generator) for theirs in LENGTHS]


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("turns", [[(0, 1, 2)], [(2,), (0, 1)], [(1,), (0,), (2,)]])
def test_each_learns_what_it_learns_alone(family: str, turns: list[tuple[int, ...]]) -> None:
    alone, together, came, back = opened(family), opened(family), numbers(0), numbers(1)
    made = forward_together(together, LENGTHS, came)
    below: dict[int, Tensor | None] = {}
    for turn in turns:  # those that come later have their forward still
        found = go_back([together[i] for i in turn], [back[i] for i in turn], [i != 1 for i in turn])
        below |= dict(zip(turn, found, strict=True))
    for i, session in enumerate(alone):
        close(made[i], session.forward(LENGTHS[i], came[i], True))
        gradient = session.backward(back[i], i != 1)
        assert (gradient is None) == (below[i] is None) == (i == 1)
        if gradient is not None:
            close(below[i], gradient)
        assert together[i].squared_norm == pytest.approx(session.squared_norm, rel=1e-4)
        close(gradients(together[i]), gradients(session))


def gradients(session: MiddleSession) -> Tensor:
    """All of them: attention that is sure of itself has some that are nothing but rounding."""
    return torch.cat([each.grad.flatten() for each in session.bank.layer_parameters() if each.grad is not None])


def close(one: Tensor | None, other: Tensor | None) -> None:
    assert one is not None
    assert other is not None
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_who_has_gone_back_or_left_does_not_go_back_again() -> None:
    first, second, third = sessions = opened("llama")
    forward_together(sessions, LENGTHS, numbers(0))
    second.close()
    go_back([first], numbers(1)[:1], [True])
    assert third.graph is not None
    assert third.graph.open == {third}
    for session, gradient in zip((first, second), numbers(1), strict=False):
        with pytest.raises(ValueError, match="no forward"):
            session.backward(gradient, True)
