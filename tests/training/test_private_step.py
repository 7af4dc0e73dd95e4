"""DP-SGD by the bank: each person's own gradient, plain training without noise, and a ledger that is never passed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedrec.config import LoraConfig, TrainConfig
from fedrec.models.adapter_bank import AdapterBank, Routed, State, initial_state, state_hash
from fedrec.privacy.accounting import epsilon_of
from fedrec.privacy.ledger import PrivacyLedger
from fedrec.privacy.protection import Protection, protection
from fedrec.privacy_settings import PrivacyConfig
from fedrec.training.loop import Outcome, train
from fedrec.training.person_slots import PersonSlots, units_of
from fedrec.training.plain_step import Plain
from fedrec.training.private_step import Private
from fedrec.training.step import Learning
from tests.models.tiny import FAMILIES, tiny_model
from tests.training.test_loop import task

CONFIG = TrainConfig(
    lr=1e-2, epochs=2, batch=100, warmup=2, clip=1e9, precision="fp32", device="cpu", checkpoint_seconds=0, stop="never"
)
OPEN = PrivacyConfig(unit="person", noise=0.0, clip=1e9, sample_rate=1.0, at_once=4)
NOISED = PrivacyConfig(unit="person", noise=1.0, clip=0.1, sample_rate=0.5, at_once=3)
LLAMA = tiny_model("llama")


def learning(model: Any = LLAMA, rank: int = 2, n: int = 18, **changes: Any) -> Learning:
    lora = LoraConfig(rank=rank)
    random = torch.Generator().manual_seed(1)
    start = initial_state(model, lora, 0)
    start = {key: 0.03 * torch.randn(each.shape, generator=random) for key, each in start.items()}
    return Learning(model, lora, start, task(n), CONFIG.model_copy(update=changes))


def guard(folder: Path, told: Learning, privacy: PrivacyConfig, rounds: int = 1, **said: Any) -> Protection:
    ledger, epochs = PrivacyLedger(folder / "privacy.db"), told.config.epochs
    named = {"run": "r", "shard": 0, "learning": told.digest} | said
    return protection(privacy, ledger, epochs=epochs, rounds=rounds, **named)


def privately(folder: Path, told: Learning, privacy: PrivacyConfig, **options: Any) -> Outcome:
    kept = guard(folder, told, privacy, **options.pop("said", {}))
    return train(told, step=lambda each: Private(each, kept), **options)


def apart(one: State, other: State) -> float:
    return max(float((one[key] - other[key]).abs().max()) for key in one)


@pytest.mark.parametrize(("family", "rank"), [*((name, 2) for name in sorted(FAMILIES)), ("llama", 1), ("llama", 5)])
@pytest.mark.parametrize("by_row", [False, True])
def test_a_slots_gradient_is_that_of_its_person_alone(family: str, rank: int, by_row: bool) -> None:
    told = learning(tiny_model(family), rank)
    units = units_of(told, by_row)
    assert len(units) == (18 if by_row else 6)
    chosen = [units[index] for index in (4, 0, 5)]
    slots = PersonSlots(told, 4)
    found = slots.gradients(chosen)
    slots.bank.close()
    alone: list[list[torch.Tensor]] = []
    with AdapterBank(told.model, told.lora) as bank:
        bank.load(0, told.start)
        for windows in chosen:
            bank.zero_grad()
            told.loss(windows, bank, Routed(0)).backward()
            alone.append([parameter.grad[0] for parameter in bank.layer_parameters()])  # type: ignore[index]
    longest = max(1.0, *(float(torch.cat([each.flatten() for each in own]).norm()) for own in alone))
    for slot, own in enumerate(alone):
        for mine, each in zip(found.each, own, strict=True):
            torch.testing.assert_close(mine[slot], each, rtol=0, atol=1e-6 * longest)
    assert not any(each[3].any() for each in found.each)


@pytest.mark.parametrize("unit", ["person", "row"])
@pytest.mark.parametrize("pull", [0.0, 2.0])
def test_without_noise_and_clip_it_is_plain_training(tmp_path: Path, unit: Any, pull: float) -> None:
    told = replace(learning(), pull=pull, anchor=initial_state(LLAMA, LoraConfig(rank=2), 5))
    plain = train(told, step=Plain)
    here = privately(tmp_path, told, OPEN.model_copy(update={"unit": unit}))
    assert here.steps == plain.steps == 2
    assert apart(here.state, plain.state) < 1e-6
    assert apart(here.state, told.start) > 1e-3
    assert (here.loss, here.rows) == (pytest.approx(plain.loss, abs=1e-6), plain.rows)


def test_nobody_moves_the_sum_of_gradients_by_more_than_the_clip(tmp_path: Path) -> None:
    """Whoever is left out, the gradient before noise changes by at most C."""
    privacy = NOISED.model_copy(update={"noise": 0.0, "sample_rate": 1.0})
    sums = []
    for gone in (None, 2):
        told = learning()
        windows = [window for window in told.lesson.windows if told.lesson.users[window.rows[0]] != gone]
        told = replace(told, lesson=replace(told.lesson, windows=windows))
        step = Private(told, guard(tmp_path, told, privacy))
        gradients: list[torch.Tensor] = []
        step.optimiser.attach_step_hook(
            lambda _, step=step, found=gradients: found.extend(each.grad * len(step.units) for each in step.parameters)
        )
        step.take(next(step.batches()), 1e-3)
        step.close()
        sums.append(torch.cat([each.flatten() for each in gradients]))
    assert 0.05 < float((sums[0] - sums[1]).norm()) <= 0.1 + 1e-6


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_and_pays_once(tmp_path: Path) -> None:
    told = learning(epochs=4)
    whole = privately(tmp_path / "..", told, NOISED)
    (tmp_path / ".." / "privacy.db").rename(tmp_path / "privacy.db")  # the same secret
    ledger = PrivacyLedger(tmp_path / "privacy.db")
    assert ledger.spent("r", 0) == [(1.0, 0.5, 8)]

    def kill(step: int, steps: int) -> None:
        if step == 4:  # it is paid for, and its checkpoint is not written
            raise Killed

    other = {"run": "s"}
    with pytest.raises(Killed):
        privately(tmp_path, told, NOISED, said=other, checkpoint=tmp_path / "one.pt", on_step=kill)
    assert ledger.spent("s", 0) == [(1.0, 0.5, 4)]
    resumed = privately(tmp_path, told, NOISED, said=other, checkpoint=tmp_path / "one.pt")
    assert ledger.spent("s", 0) == [(1.0, 0.5, 8)]
    again = privately(tmp_path, told, NOISED, said=other)  # from the beginning: the same noise, nothing new is told
    assert ledger.spent("s", 0) == [(1.0, 0.5, 8)]
    assert state_hash(resumed.state) == state_hash(again.state) != state_hash(whole.state)


def test_a_step_is_in_the_ledger_before_its_noise_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = learning()
    kept = guard(tmp_path, told, NOISED)
    counts: list[int] = []

    def noise(*_: object, **__: object) -> None:
        counts.append(kept.ledger.spent("r", 0)[0][2])
        raise Killed

    monkeypatch.setattr("opacus.optimizers.optimizer._generate_noise", noise)
    with pytest.raises(Killed):
        train(told, step=lambda each: Private(each, kept))
    assert counts == [1]


def test_training_without_somebody_has_noise_of_its_own_and_is_paid_for(tmp_path: Path) -> None:
    """Were it the same noise, the difference of both adapters would be the erased person's gradient."""
    told = learning()
    lesson = replace(told.lesson, windows=[w for w in told.lesson.windows if told.lesson.users[w.rows[0]]])
    kept = [guard(tmp_path, each, NOISED) for each in (told, replace(told, lesson=lesson))]
    assert kept[0].key_of(1, "noise") != kept[1].key_of(1, "noise")
    for each in kept:
        each.spend(3)
    assert kept[0].ledger.spent("r", 0) == [(1.0, 0.5, 6)]
    assert kept[0].ledger.spent("r", 1) == []


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
def test_the_budget_is_never_passed(tmp_path: Path, accountant: Any) -> None:
    privacy = PrivacyConfig(unit="person", epsilon=10.0, noise=2.0, sample_rate=1.0, accountant=accountant)
    found = []
    for round_ in range(3):  # three trainings of six steps each; the budget has room for fewer
        told = learning(epochs=6, n=6)
        told = replace(told, lesson=replace(told.lesson, key=(1, "a", 0, round_)))
        kept = guard(tmp_path, told, privacy)
        outcome = train(told, step=lambda each, kept=kept: Private(each, kept))
        found.append(outcome.steps)
        spent = kept.ledger.spent("r", 0)
        assert epsilon_of(spent, privacy) <= 10.0
        with pytest.raises(RuntimeError, match="has room for"):
            kept.spend(kept.allowed + 1)
    assert found[0] == 6
    assert 0 <= found[2] < 6
    assert epsilon_of([*spent, (2.0, 1.0, 1)], privacy) > 10.0
    assert outcome.state is not None
    if not found[2]:
        assert apart(outcome.state, told.start) == 0


def test_samples_are_drawn_person_by_person(tmp_path: Path) -> None:
    told = learning(n=60, epochs=20)
    step = Private(told, guard(tmp_path, told, NOISED.model_copy(update={"sample_rate": 0.25})))
    sizes = []
    for batch in step.batches():
        people = {int(told.lesson.users[window.rows[0]]) for window in batch}
        assert len(batch) == 3 * len(people)  # all of a person's windows, or none
        sizes.append(len(people))
    step.close()
    assert len(sizes) == 80
    assert np.mean(sizes) == pytest.approx(5, abs=0.8)
    assert len({*sizes}) > 3
