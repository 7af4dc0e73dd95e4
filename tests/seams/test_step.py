"""A step of training from outside: one file, and one line of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fedrec.config import TrainConfig
from fedrec.registry import STEPS
from fedrec.training.loop import train
from fedrec.training.step import Learning, Step
from tests.conftest import Settings
from tests.seams import toy_step
from tests.server.test_federation import ran
from tests.training.test_loop import LORA, MODEL, START, task

PLAIN = TrainConfig(lr=1e-2, epochs=1, batch=4, warmup=0, clip=1e9, precision="fp32", device="cpu")


@pytest.fixture(autouse=True)
def per_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STEPS, "per-person", "tests.seams.toy_step:PerPerson")


def learnt(step: str) -> dict[str, torch.Tensor]:
    lora, config = LORA.model_copy(update={"dropout": 0.0}), PLAIN.model_copy(update={"step": step})
    return train(Learning(MODEL, lora, START, task(), config)).state


def test_a_federation_trains_with_it(tmp_path: Path, small: Settings) -> None:
    one, other = (
        ran(tmp_path / step, small(federation__rounds=1, train__step=step)) for step in ("plain", "per-person")
    )
    assert one["adapter_hash"] != other["adapter_hash"]
    assert np.isfinite(other["history"][1]["train_loss"]["client-0"])


def test_persons_have_slots_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clipped by nothing, their gradients together are the plain one; clipped, the loop knows nothing of it."""
    plain, clipped = learnt("plain"), learnt("per-person")
    monkeypatch.setattr(toy_step, "LONGEST", 1e9)
    free = learnt("per-person")
    for name in plain:
        torch.testing.assert_close(free[name], plain[name], rtol=1e-3, atol=1e-5)
    assert any(not torch.allclose(clipped[name], plain[name], atol=1e-4) for name in plain)


@pytest.mark.parametrize("name", STEPS)
def test_every_line_is_a_step(name: str) -> None:
    assert issubclass(STEPS.load(name), Step)
