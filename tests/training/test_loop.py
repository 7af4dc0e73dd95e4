"""The training loop: reproducible, resumable to the bit, one loss a row, honest about what it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedrec.config import LoraConfig, TrainConfig
from fedrec.data.prompts import Window
from fedrec.models.adapter_bank import AdapterBank, Routed, initial_state, state_hash
from fedrec.tasks.like import YesOrNo
from fedrec.training.batches import bucketed
from fedrec.training.lesson import Lesson
from fedrec.training.loop import Outcome, learning_rate, train
from fedrec.training.step import Learning
from tests.models.families import family
from tests.models.tiny import tiny_model

LORA = LoraConfig(rank=4, alpha=8, dropout=0.1)
CONFIG = TrainConfig(lr=1e-2, epochs=2, batch=3, warmup=2, precision="fp32", device="cpu", checkpoint_seconds=0)
MODEL = tiny_model("llama")
START = initial_state(MODEL, LORA, 1)


def task(n: int = 20, key: tuple[int, str, int, int] = (1, "a", 0, 1)) -> Lesson:
    """Windows in which the token two before the answer gives the answer away."""
    random = np.random.default_rng(3)
    windows, labels = [], []
    for row in range(n):
        ids = random.integers(5, 50, random.integers(4, 12))
        label = row % 2
        ids[-2] = 3 + label
        windows.append(Window(ids, np.array([len(ids) - 1]), np.array([row])))
        labels.append(label)
    return Lesson(windows, np.array(labels, np.int8), np.arange(n, dtype=np.int32) // 3, YesOrNo((1, 2)), key, 0, 1)


def run(config: TrainConfig = CONFIG, job: Lesson | None = None, *, pull: float = 0.0, **options: object) -> Outcome:
    return train(Learning(MODEL, LORA, START, job or task(), config, pull), **options)  # type: ignore[arg-type]


def test_equal_keys_give_equal_adapters_and_other_keys_do_not() -> None:
    first = run()
    torch.manual_seed(99)  # the global random state is nobody's business
    np.random.seed(99)  # noqa: NPY002
    assert state_hash(run().state) == state_hash(first.state)
    for key in ((2, "a", 0, 1), (1, "b", 0, 1), (1, "a", 1, 1), (1, "a", 0, 2)):
        assert state_hash(run(job=task(key=key)).state) != state_hash(first.state)


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    run()
    assert torch.equal(before, torch.get_rng_state())


def test_it_learns() -> None:
    config = CONFIG.model_copy(update={"epochs": 15})
    assert run(config, task(60)).loss < 0.45  # ln 2 = 0.69 is knowing nothing
    assert all(tensor.abs().sum() > 0 for name, tensor in run(config).state.items() if name.endswith(".B"))


class Killed(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 5, 13])
def test_resume_equals_uninterrupted(tmp_path: Path, stop: int) -> None:
    whole = run()

    def kill(step: int, steps: int) -> None:
        if step == stop + 1:  # the checkpoint of this step is not written yet
            raise Killed

    with pytest.raises(Killed):
        run(checkpoint=tmp_path / "one.pt", on_step=kill)
    steps: list[int] = []
    resumed = run(checkpoint=tmp_path / "one.pt", on_step=lambda step, _: steps.append(step))
    assert steps[0] == stop + 1
    assert state_hash(resumed.state) == state_hash(whole.state)
    assert (resumed.loss, resumed.rows) == (whole.loss, whole.rows)


def test_a_checkpoint_of_another_task_or_a_broken_one_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "one.pt"
    run(checkpoint=path)
    other = task(key=(1, "a", 0, 2))
    assert state_hash(run(job=other, checkpoint=path).state) == state_hash(run(job=other).state)
    path.write_bytes(b"half a file")
    assert state_hash(run(checkpoint=path).state) == state_hash(run().state)


def test_no_rows_gives_back_the_start() -> None:
    outcome = run(job=replace(task(), windows=[]))
    assert outcome == Outcome(START, 0.0, 0, 0)


def test_the_loss_of_a_row_does_not_depend_on_how_long_the_others_are() -> None:
    """Flower.md 4: a mean over tokens would weigh a row by its length; ours weighs every answered row alike."""
    config = CONFIG.model_copy(update={"epochs": 1, "batch": 20, "clip": 1e9})
    lora = LoraConfig(rank=4, alpha=8, dropout=0.0)
    start = initial_state(MODEL, lora, 1)
    losses = []
    with AdapterBank(MODEL, lora, width=1) as bank:
        for window, label in zip(task().windows, task().labels, strict=True):
            bank.load(0, start)
            with torch.no_grad(), bank.use(Routed(0)):
                logits = MODEL(torch.tensor(window.ids[None])).logits[0, -1, [1, 2]]
            losses.append(-logits.log_softmax(-1)[label].item())
    outcome = train(Learning(MODEL, lora, start, task(), config))
    assert outcome.loss == pytest.approx(np.mean(losses), abs=1e-5)


def test_a_layer_that_no_token_came_by_is_pulled_to_the_anchor_alone() -> None:
    """As an expert may be in a batch: here the MLP of a layer that waits for images."""
    model, lora = family("mllama"), LoraConfig(rank=2, targets="up_proj")
    start, anchor = initial_state(model, lora, 1), initial_state(model, lora, 2)
    free = train(Learning(model, lora, start, task(), CONFIG)).state
    held = train(Learning(model, lora, start, task(), CONFIG, pull=0.5, anchor=anchor)).state
    idle = "model.layers.3.mlp.up_proj.A"
    assert torch.equal(free[idle], start[idle])
    assert (held[idle] - anchor[idle]).norm() < (start[idle] - anchor[idle]).norm()


def test_a_strong_proximal_term_holds_the_adapter_at_its_anchor() -> None:
    free, held = run(), run(CONFIG.model_copy(update={"clip": 1e9}), pull=1e4)

    def moved(outcome: Outcome) -> float:
        return sum((outcome.state[name] - START[name]).square().sum().item() for name in START) ** 0.5

    assert moved(held) < moved(free) / 2
    assert state_hash(run(pull=0.0).state) == state_hash(free.state)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 5))
def test_buckets_hold_every_index_once(lengths: list[int], batch: int, seed: int) -> None:
    batches = bucketed(lengths, batch, np.random.default_rng(seed))
    assert sorted(i for chosen in batches for i in chosen) == list(range(len(lengths)))
    assert all(len(chosen) <= batch for chosen in batches)


def test_buckets_save_padding() -> None:
    lengths = np.random.default_rng(0).integers(10, 400, 640).tolist()
    padded = sum(max(lengths[i] for i in b) * len(b) for b in bucketed(lengths, 8, np.random.default_rng(1)))
    assert padded < 1.1 * sum(lengths)


def test_the_rate_warms_up_in_the_first_round_only_and_falls_over_all_rounds() -> None:
    config = TrainConfig(lr=1.0, warmup=4, schedule="cosine")
    first = [learning_rate(config, step, 10, 0, 3) for step in range(10)]
    assert first[0] == pytest.approx(0.25)
    assert first[3] > first[0]
    later = [learning_rate(config, step, 10, round_, 3) for round_ in (1, 2) for step in range(10)]
    assert later == sorted(later, reverse=True)
    assert later[-1] == pytest.approx(0.05, abs=0.01)
    flat = TrainConfig(lr=1.0, warmup=0, schedule="constant")
    assert {learning_rate(flat, step, 10, r, 3) for step in range(10) for r in range(3)} == {1.0}
