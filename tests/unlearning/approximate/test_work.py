"""The one trainer of approximate unlearning, on a tiny base whose items have tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fedrec.config import LoraConfig, TrainConfig
from fedrec.data.prompts import Window
from fedrec.models.adapter import to_arrays
from fedrec.models.adapter_bank import State, initial_state, state_hash
from fedrec.models.item_tokens import extended
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS
from fedrec.protocol.item_rows import rows_of
from fedrec.tasks.like import YesOrNo
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson, Validation
from fedrec.training.loop import train
from fedrec.training.step import Learning
from fedrec.training.stopping import mean_loss
from tests.models.tiny import VOCABULARY, tiny_model
from unlearning.approximate.lesson import forgetting
from unlearning.approximate.step import ForgettingStep
from unlearning.approximate.stopping import ForgettingStopping
from unlearning.approximate.subtraction import difference
from unlearning.approximate.teachers import Teachers
from unlearning.methods import method_named
from unlearning.methods.approximate import FineTuning
from unlearning.shards.training import Forgotten, Job, ShardTraining, Trained

LORA = LoraConfig(rank=2)
CONFIG = TrainConfig(lr=1e-2, item_lr=1.0, item_prior=0.1, epochs=4, batch=4, warmup=0, precision="fp32", device="cpu")
CONFIG = CONFIG.model_copy(update={"stop": "never"})
MODEL: Any = extended(tiny_model("llama"), ((3, 5),) * 12, 4)
INITIAL = initial_state(MODEL, LORA, 0)
KEPT, SHARED, GONE = (0, 1, 2, 3), (4, 5), (6, 7, 8)
"""Items: of retained people alone, of both, of those to be forgotten alone."""


def lesson(items: tuple[int, ...], n: int, seed: int) -> Lesson:
    """Each person's window of two items; whether the second is liked is known by its row alone."""
    random = np.random.default_rng(seed)
    windows, labels = [], []
    for person in range(n):
        first, second = random.choice(items, 2, replace=False)
        ids = np.array([5, VOCABULARY + first, 6, VOCABULARY + second])
        windows.append(Window(ids, np.array([3]), np.array([2 * person + 1]), 2 * person))
        labels += [0, int(second) % 2]
    users = np.repeat(np.arange(n, dtype=np.int32), 2) + 100 * seed
    return Lesson(windows, np.array(labels, np.int8), users, YesOrNo((1, 2)), (1, "shard", 0, 0), 0, 1)


def both(first: Lesson, second: Lesson) -> Lesson:
    behind = len(first.labels)
    moved = [replace(each, rows=each.rows + behind, first=each.first + behind) for each in second.windows]
    labels, users = np.concatenate([first.labels, second.labels]), np.concatenate([first.users, second.users])
    return replace(first, windows=[*first.windows, *moved], labels=labels, users=users)


def trained(of: Lesson) -> State:
    return train(with_item_rows(Learning(MODEL, LORA, INITIAL, of, CONFIG))).state


RETAINED, FORGET = lesson(KEPT + SHARED, 24, 0), lesson(SHARED + GONE, 12, 1)
ORIGINAL = trained(both(RETAINED, FORGET))
TRAINING = ShardTraining(Job(0, (RETAINED,), ("digest",)), 0, INITIAL, LORA, CONFIG)
FORGOTTEN = Forgotten(ORIGINAL, FORGET)


def method(name: str = "e2urec", **settings: Any) -> FineTuning:
    made = method_named(name, 1)
    assert isinstance(made, FineTuning)
    return made.model_copy(update=settings)


def unlearn(chosen: FineTuning, training: ShardTraining = TRAINING) -> Trained:
    return chosen.work(training, FORGOTTEN).run(MODEL, lambda *_: None)


def loss(adapter: State, of: Lesson) -> float:
    return mean_loss(Learning(MODEL, LORA, adapter, of, CONFIG), adapter)


def test_equal_work_gives_equal_adapters_and_another_seed_another() -> None:
    first = unlearn(method())
    torch.manual_seed(99)
    assert state_hash(unlearn(method()).states[-1]) == state_hash(first.states[-1])
    job = Job(0, (replace(RETAINED, key=(2, "shard", 0, 0)),), ("digest",))
    assert state_hash(unlearn(method(), replace(TRAINING, job=job)).states[-1]) != state_hash(first.states[-1])


def test_item_rows_that_only_forgotten_people_taught_are_where_retraining_leaves_them() -> None:
    retrained = trained(RETAINED)
    found = unlearn(method()).states[-1]
    assert {*GONE} < {*ORIGINAL[ROWS].tolist()}
    assert found[ROWS].tolist() == retrained[ROWS].tolist() == [*KEPT, *SHARED]


def test_titles_effects_are_those_of_the_retained_answers_alone() -> None:
    """Also where a person has answers of both kinds."""
    shared = replace(FORGET, users=np.where(FORGET.users < 104, FORGET.users - 100, FORGET.users))
    for gone in (FORGET, shared):
        begun, without = (
            with_item_rows(Learning(MODEL, LORA, INITIAL, each, CONFIG)) for each in (both(RETAINED, gone), RETAINED)
        )
        learning = forgetting(MODEL, TRAINING, Forgotten(begun.start, gone), CONFIG)
        assert learning.start[ROWS].tolist() == without.start[ROWS].tolist()
        torch.testing.assert_close(learning.start[ITEMS_A], without.start[ITEMS_A], rtol=0, atol=2e-6)
        assert learning.own is not None and without.own is not None
        np.testing.assert_allclose(learning.own, np.pad(without.own, (0, len(gone.labels))), rtol=1e-6)
        assert learning.original is learning.start
    published = forgetting(MODEL, TRAINING, FORGOTTEN, CONFIG, reset=False)
    assert published.original is ORIGINAL
    np.testing.assert_array_equal(published.start[ITEMS_A], rows_of(to_arrays(ORIGINAL), np.array([*KEPT, *SHARED])))


def test_people_keep_their_number_or_get_one_that_nobody_has() -> None:
    told = Forgotten(ORIGINAL, replace(FORGET, users=np.array([0, 1, 2, 2], np.int32)))
    assert told.numbered(("a", "b", "c"), ("b", "d")).lesson.users.tolist() == [2, 0, 4, 4]


def test_it_forgets_and_keeps_what_others_taught() -> None:
    found = unlearn(method(paired=4.0, pace=0.3)).states[-1]
    base = loss(INITIAL, FORGET)
    assert loss(ORIGINAL, FORGET) < 0.8 * base
    assert loss(found, FORGET) > loss(ORIGINAL, FORGET) + 0.1
    assert loss(found, RETAINED) < loss(INITIAL, RETAINED) - 0.1


def test_teachers_cost_time_and_are_counted() -> None:
    whole = method(augmenting=1.0, alone=1.0, paired=1.0)
    with_teacher, without = unlearn(whole), unlearn(method("neggrad"))
    assert with_teacher.seconds_teachers > 0 == without.seconds_teachers
    assert with_teacher.steps == 3 + 3 + 3  # the augmented teacher's, forgotten rows alone, both
    assert with_teacher.rows == 12 + 12 + 24
    assert without.rows == 24 and not without.exact


def test_teachers_answer_once_what_each_says_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    learning = forgetting(MODEL, TRAINING, FORGOTTEN, CONFIG)
    passes, real = [], Learning.logits
    monkeypatch.setattr(
        Learning, "logits", lambda self, batch, *how: passes.append(len(batch)) or real(self, batch, *how)
    )
    together = Teachers(learning, {"original": ORIGINAL, "initial": INITIAL})
    windows = learning.lesson.windows[20:30]
    found = together.answers(windows)
    again = together.answers(windows[2:5])
    assert passes == [10, 10], "once each, and never again"
    for name, adapter in (("original", ORIGINAL), ("initial", INITIAL)):
        alone = Teachers(learning, {name: adapter})
        torch.testing.assert_close(found[name], alone.answers(windows)[name])
        assert torch.equal(again[name], found[name][2:5])
        alone.close()
    together.close()


def test_first_the_forgotten_rows_alone_then_as_many_of_both() -> None:
    learning = forgetting(MODEL, TRAINING, FORGOTTEN, CONFIG)
    step = ForgettingStep(learning, method(alone=1.0, paired=2.0), {})
    read = [[learning.forgets(window) for window in batch] for batch in step.batches()]
    step.close()
    assert read == [[True] * 4] * 3 + [[True] * 4 + [False] * 4] * 6
    assert step.steps == len(read)


def test_rows_are_drawn_to_zero_as_often_as_what_is_retained_is_read() -> None:
    learning = forgetting(MODEL, TRAINING, FORGOTTEN, CONFIG)
    for alone, paired in ((1.0, 0.0), (0.0, 1.0), (1.0, 2.0)):
        step = ForgettingStep(learning, method(alone=alone, paired=paired), {})
        part = paired * len(FORGET.windows) / len(RETAINED.windows)
        assert step.steps * step.shrink == pytest.approx(CONFIG.item_prior * part)
        step.close()


def test_of_the_adapters_on_the_way_the_one_is_taken_that_forgot_best_and_broke_least() -> None:
    asked = Validation(lesson(KEPT + SHARED, 12, 7).windows, lesson(KEPT + SHARED, 12, 7).labels)
    job = Job(0, (replace(RETAINED, validation=asked),), ("digest",))
    config = CONFIG.model_copy(update={"stop": "validation"})
    learning = forgetting(MODEL, replace(TRAINING, job=job), FORGOTTEN, config)
    stopping = ForgettingStopping(learning)
    told = []
    for adapter in (INITIAL, ORIGINAL, unlearn(method()).states[-1]):
        stopping.offer(adapter)
        told.append((stopping.judge(adapter), adapter))
    best = min(told, key=lambda pair: pair[0])
    assert stopping.state is best[1] and stopping.loss == pytest.approx(best[0])
    assert told[0][0] == pytest.approx(loss(INITIAL, lesson(KEPT + SHARED, 12, 7))), "it remembers as much as it knows"
    broken = unlearn(method("gradient-ascent", alone=20.0)).states[-1]
    assert stopping.judge(broken) > best[0]


def test_where_the_rows_are_not_known_it_is_trained_anew() -> None:
    assert method().work(TRAINING, None) is TRAINING
    nobody = replace(TRAINING, job=Job(0, (replace(RETAINED, windows=[]),), ("digest",)))
    assert method().work(nobody, FORGOTTEN) is nobody


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_difference_of_adapters_is_the_nearest_of_their_rank(share: float) -> None:
    other = trained(FORGET)
    left = difference(ORIGINAL, other, share)
    assert {name: tensor.shape for name, tensor in left.items()} == {n: t.shape for n, t in ORIGINAL.items()}
    for name in (name for name in ORIGINAL if name.endswith(".A") and name != ITEMS_A):
        b = name.removesuffix("A") + "B"
        wanted = ORIGINAL[b] @ ORIGINAL[name] - share * other[b] @ other[name]
        beyond = torch.linalg.svdvals(wanted)[LORA.rank :].norm()
        assert (left[b] @ left[name] - wanted).norm() <= beyond + 1e-4
    every = np.arange(12, dtype=np.int32)
    rows = [rows_of(to_arrays(each), every) for each in (left, ORIGINAL, other)]
    np.testing.assert_allclose(rows[0], rows[1] - share * rows[2], atol=1e-6)
    assert torch.equal(left[ITEMS_B], ORIGINAL[ITEMS_B])


def test_what_was_learnt_is_subtracted_as_far_as_validation_rows_say() -> None:
    fixed = unlearn(method("subtract", share=0.3)).states[-1]
    assert loss(fixed, FORGET) > loss(ORIGINAL, FORGET)
    assert not {*GONE} & {*fixed[ROWS].tolist()}
    asked = Validation(lesson(KEPT + SHARED, 12, 7).windows, lesson(KEPT + SHARED, 12, 7).labels)
    job = Job(0, (replace(RETAINED, validation=asked),), ("digest",))
    config = CONFIG.model_copy(update={"stop": "validation"})
    done = unlearn(method("subtract"), replace(TRAINING, job=job, settings=config))
    learning = forgetting(MODEL, replace(TRAINING, job=job), FORGOTTEN, config)
    rule = ForgettingStopping(learning)
    assert rule.judge(done.states[-1]) <= rule.judge(learning.start)
    assert done.seconds_teachers > 0 and done.rows == 4 * 12
