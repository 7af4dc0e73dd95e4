"""The likelihood ratio of membership."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.metrics import auc
from fedrec.privacy.attacks.lira import confidence, halves, likelihood_ratio


@given(st.integers(2, 40), st.integers(2, 9), st.integers(0, 2**20))
def test_everybody_has_shadow_models_on_both_sides(people: int, count: int, seed: int) -> None:
    inside = halves(people, count, seed)
    assert inside.shape == (count, people)
    assert inside.any(0).all() and not inside.all(0).any()
    assert abs(inside.sum(1) - people / 2).max() <= 0.5


def test_it_finds_members_that_a_threshold_does_not() -> None:
    """Rows differ in how hard they are by more than in whether they were learnt from."""
    random, n, count = np.random.default_rng(0), 400, 16
    hard = random.normal(0, 3, n)
    inside = halves(n, count, 1)
    shadows = hard + 1.0 * inside + random.normal(0, 0.5, (count, n))
    member = np.arange(n) % 2 == 0
    target = hard + 1.0 * member + random.normal(0, 0.5, n)
    found = auc(likelihood_ratio(target, shadows, inside), member.astype(np.int8))
    assert found > 0.85 > 0.65 > auc(target, member.astype(np.int8))
    absent = hard + random.normal(0, 0.5, n)
    assert abs(auc(likelihood_ratio(absent, shadows, inside), member.astype(np.int8)) - 0.5) < 0.08


def test_confidence_is_the_logit_of_what_happened() -> None:
    p = np.array([0.1, 0.5, 0.9])
    assert confidence(np.log(p)) == pytest.approx(np.log(p / (1 - p)))
    assert np.isfinite(confidence(np.array([0.0, -1e9]))).all()


def test_without_another_side_there_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        likelihood_ratio(np.zeros(2), np.zeros((3, 2)), np.ones((3, 2), bool))
