"""Early stopping: on validation rows no training is worse than none, and what is kept is the best that was seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.config import TrainConfig
from fedrec.models.adapter import State, state_hash
from fedrec.training.lesson import Lesson, Validation
from fedrec.training.loop import Outcome, train
from fedrec.training.step import Learning
from fedrec.training.stopping import Stopping
from tests.training.test_loop import CONFIG, LORA, MODEL, START, Killed, run, task


def stopped(n: int = 20, wrong: bool = False, rows: int = 7) -> Lesson:
    """A lesson with validation rows, which say the same or the contrary."""
    lesson, asked = task(n), task(n + rows)
    labels = 1 - asked.labels if wrong else asked.labels
    return replace(lesson, validation=Validation(asked.windows[n:], labels))


def loss(lesson: Lesson, state: State) -> float:
    exam = Stopping(Learning(MODEL, LORA, START, lesson, CONFIG))
    exam.offer(state)
    return exam.loss


@settings(max_examples=30)  # of a second each
@given(st.floats(1e-4, 30.0), st.integers(1, 30), st.booleans(), st.integers(1, 3), st.integers(1, 9))
def test_no_training_is_worse_than_none(rate: float, n: int, wrong: bool, epochs: int, batch: int) -> None:
    lesson = stopped(n, wrong)
    outcome = run(CONFIG.model_copy(update={"lr": rate, "epochs": epochs, "batch": batch}), lesson)
    assert loss(lesson, outcome.state) <= loss(lesson, START)


def test_the_best_of_those_on_the_way_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[State] = []
    offer = Stopping.offer

    def noted(self: Stopping, state: State) -> None:
        seen.append(state)
        offer(self, state)

    config = CONFIG.model_copy(update={"lr": 0.1, "epochs": 4})
    with monkeypatch.context() as patch:
        patch.setattr(Stopping, "offer", noted)
        outcome = run(config, stopped())
    assert len(seen) == 1 + 2 * 4
    losses = [loss(stopped(), state) for state in seen]
    assert state_hash(outcome.state) == state_hash(seen[int(np.argmin(losses))])
    assert min(losses) < losses[0]


def test_looking_changes_no_step() -> None:
    """Equal losses on the way, dropout and all: only what is kept differs."""
    with_, without = run(job=stopped()), run()
    assert (with_.loss, with_.rows, with_.steps) == (without.loss, without.rows, without.steps)


@pytest.mark.parametrize("lesson", [task(), replace(stopped(), validation=Validation())])
def test_without_validation_rows_the_last_adapter_is_kept(lesson: Lesson) -> None:
    never = CONFIG.model_copy(update={"stop": "never"})
    assert state_hash(run(job=lesson).state) == state_hash(run(never).state) == state_hash(run(never, stopped()).state)


@pytest.mark.parametrize("stop", [1, 4, 7, 12])
def test_resume_equals_uninterrupted(tmp_path: Path, stop: int) -> None:
    config = CONFIG.model_copy(update={"lr": 0.05})
    whole = run(config, stopped())

    def kill(step: int, steps: int) -> None:
        if step == stop + 1:
            raise Killed

    with pytest.raises(Killed):
        run(config, stopped(), checkpoint=tmp_path / "one.pt", on_step=kill)
    assert told(run(config, stopped(), checkpoint=tmp_path / "one.pt")) == told(whole)


def test_a_checkpoint_under_other_validation_rows_is_not_used(tmp_path: Path) -> None:
    path, config = tmp_path / "one.pt", TrainConfig(**{**CONFIG.model_dump(), "lr": 0.05})
    run(config, stopped(wrong=True), checkpoint=path)
    assert told(run(config, stopped(), checkpoint=path)) == told(run(config, stopped()))


def test_validation_rows_are_part_of_what_a_lesson_is() -> None:
    digests = {lesson.digest(CONFIG) for lesson in (task(), stopped(), stopped(wrong=True), stopped(rows=6))}
    assert len(digests) == 4


def test_no_rows_to_learn_from_is_no_training() -> None:
    lesson = replace(stopped(), windows=[])
    assert train(Learning(MODEL, LORA, START, lesson, CONFIG)) == Outcome(START, 0.0, 0, 0)


def told(outcome: Outcome) -> tuple[str, float, int]:
    return state_hash(outcome.state), outcome.loss, outcome.rows
