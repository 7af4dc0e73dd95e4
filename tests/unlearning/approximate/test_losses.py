"""The losses of approximate unlearning, by what holds of their formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from fedrec.tasks.like import YesOrNo
from unlearning.approximate.answers import Answers
from unlearning.methods import METHODS, method_named
from unlearning.methods.approximate import FineTuning
from unlearning.methods.e2urec import forgetting_teacher, remembering
from unlearning.methods.wrong_labels import moved

FINE_TUNING = [name for name in METHODS if issubclass(METHODS.load(name), FineTuning) and name != "subtract"]


def logits(seed: int, rows: int = 6, answers: int = 2) -> Tensor:
    return 3 * torch.randn(rows, answers, generator=torch.Generator().manual_seed(seed))


def said(seed: int, rows: int = 6, student: Tensor | None = None) -> Answers:
    teachers: Any = {name: logits(seed + 1 + k, rows) for k, name in enumerate(("original", "augmented", "initial"))}
    own = logits(seed, rows) if student is None else student
    return Answers(own.requires_grad_(), torch.arange(rows) % 2, YesOrNo((1, 2)), teachers)


def method(name: str, **settings: Any) -> FineTuning:
    made = method_named(name, 1)
    assert isinstance(made, FineTuning)
    return made.model_copy(update=settings)


seeds = st.integers(0, 2**20)


@given(seeds, st.floats(0, 5))
def test_the_forgetting_teacher_turns_from_what_further_training_adds(seed: int, alpha: float) -> None:
    original, augmented = logits(seed), logits(seed + 1)
    target = forgetting_teacher(original, augmented, alpha)
    assert (target <= original).all()
    assert torch.equal(target[augmented <= original], original[augmented <= original])
    assert torch.equal(forgetting_teacher(original, augmented, 0.0), original)
    assert torch.equal(forgetting_teacher(original, original, alpha), original)


@given(seeds, st.floats(-5, 5))
def test_a_divergence_is_zero_of_equals_alone_and_knows_no_shift(seed: int, shift: float) -> None:
    answers = said(seed)
    target = logits(seed + 9)
    assert answers.divergence(answers.student + shift).item() == pytest.approx(0, abs=1e-5)
    value = answers.divergence(target)
    assert value.item() > 0
    (ours,) = torch.autograd.grad(value, answers.student)
    student = answers.student.double()  # in single precision that formula rounds where an answer is unlikely
    published = -(target.double().softmax(-1) * (student.softmax(-1) + 1e-12).log()).sum(-1).mean()
    (theirs,) = torch.autograd.grad(published, answers.student)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)  # another value, the same gradient


@given(seeds)
def test_e2urec_is_between_forgetting_and_remembering(seed: int) -> None:
    forget, retain = said(seed), said(seed + 50, 9)
    alone = method("e2urec").loss(forget, None)
    torch.testing.assert_close(method("e2urec", beta=1.0).loss(forget, retain), alone)
    torch.testing.assert_close(method("e2urec", beta=0.0).loss(forget, retain), remembering(retain))
    torch.testing.assert_close(method("e2urec").loss(forget, retain), 0.4 * alone + 0.6 * remembering(retain))


def test_remembering_is_what_is_right_where_the_student_is_the_original() -> None:
    retain = said(3, student=logits(4).clone())
    torch.testing.assert_close(remembering(retain), cross_entropy(retain.student, retain.labels))


@given(seeds)
def test_ascent_is_the_supervised_loss_turned_round_as_far_as_its_ceiling(seed: int) -> None:
    forget = said(seed)
    error = cross_entropy(forget.student, forget.labels)
    torch.testing.assert_close(method("gradient-ascent").loss(forget, None), -error)
    low = method("gradient-ascent", ceiling=0.5).loss(forget, None)
    assert low.item() >= -0.5
    (gradient,) = torch.autograd.grad(low, forget.student)
    assert not gradient[forget.errors() > 0.5].any()


@pytest.mark.parametrize("name", ["neggrad", "random-labels", "flipped-labels", "negkl"])
def test_without_weight_only_what_is_kept_counts(name: str) -> None:
    forget, retain = said(1), said(2)
    kept = remembering(retain) if name == "negkl" else retain.errors().mean()
    torch.testing.assert_close(method(name, weight=0.0).loss(forget, retain), kept)


def test_the_difference_of_gradients_is_that() -> None:
    forget, retain = said(1), said(2, 9)
    wanted = retain.errors().mean() - 0.2 * forget.errors().mean()
    torch.testing.assert_close(method("neggrad").loss(forget, retain), wanted)
    away = remembering(retain) - 0.5 * forget.divergence(forget.teachers["original"])
    torch.testing.assert_close(method("negkl").loss(forget, retain), away)


@given(st.integers(2, 5), seeds)
def test_flipped_labels_are_wrong_and_random_ones_are_any(answers: int, seed: int) -> None:
    torch.manual_seed(seed)
    labels = torch.arange(400) % answers
    flipped, drawn = moved(labels, answers, 1), moved(labels, answers, 0)
    assert not (flipped == labels).any()
    assert set(flipped.tolist()) == set(drawn.tolist()) == set(range(answers))
    assert (drawn == labels).float().mean().item() == pytest.approx(1 / answers, abs=0.15)


def test_two_answers_flipped_are_the_others() -> None:
    forget, retain = said(1), said(2)
    wanted = retain.errors().mean() + 0.2 * forget.errors(1 - forget.labels).mean()
    torch.testing.assert_close(method("flipped-labels").loss(forget, retain), wanted)


@pytest.mark.parametrize("bad", ["uniform", "initial"])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_bad_teacher_is_followed_on_what_is_to_go_alone(bad: str, temperature: float) -> None:
    forget, retain = said(1), said(2, 9)
    teacher = torch.zeros(6, 2) if bad == "uniform" else forget.teachers["initial"]
    student = torch.cat([teacher, retain.teachers["original"]]).clone()
    chosen = method("bad-teacher", bad=bad, temperature=temperature)
    followed = (said(1, student=student[:6].clone()), said(2, 9, student=student[6:].clone()))
    assert chosen.loss(*followed).item() == pytest.approx(0, abs=1e-6)
    assert chosen.loss(forget, retain).item() > 0.01
    each = [chosen.loss(forget, None), chosen.loss(*followed)]
    assert each[0] > each[1]


def test_generic_targets_are_the_likeliest_answers_of_the_forgetting_teacher() -> None:
    forget = said(1)
    target = forgetting_teacher(forget.teachers["original"], forget.teachers["augmented"], 5.0).argmax(-1)
    torch.testing.assert_close(method("generic-targets").loss(forget, None), cross_entropy(forget.student, target))


@pytest.mark.parametrize("name", FINE_TUNING)
def test_every_loss_is_finite_and_moves_the_student_alone(name: str) -> None:
    forget, retain = said(1), said(2)
    method(name).loss(forget, retain).backward()
    assert forget.student.grad is not None and forget.student.grad.isfinite().all()
    assert all(not teacher.requires_grad for teacher in forget.teachers.values())
