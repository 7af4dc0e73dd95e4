"""Lower bounds of epsilon against mechanisms whose epsilon is known: Gaussian noise, and randomised response."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import beta, norm

from fedrec.privacy.attacks.epsilon import from_guesses, from_rates


def gaussian(shift: float, delta: float) -> float:
    """Epsilon of N(0, 1) beside N(shift, 1) at this delta (Balle and Wang 2018)."""

    def excess(epsilon: float) -> float:
        far = epsilon / shift
        return float(norm.cdf(shift / 2 - far) - math.exp(epsilon) * norm.cdf(-shift / 2 - far)) - delta

    return float(brentq(excess, 0, 60)) if excess(0) > 0 else 0.0


@settings(max_examples=25)
@given(st.floats(0.2, 4), st.floats(-2, 4), st.sampled_from([0.0, 1e-5, 1e-2]), st.integers(20, 100_000))
def test_expected_rates_of_a_gaussian_never_prove_more_than_it_spends(
    shift: float, threshold: float, delta: float, trials: int
) -> None:
    hits, alarms = (round(trials * float(norm.sf(threshold - at))) for at in (shift, 0))
    spends = gaussian(shift, delta) if delta else gaussian(shift, 1e-9)
    rounding = 0.0 if delta else 0.05
    assert from_rates(hits, trials, alarms, trials, delta) <= spends + rounding


def test_many_trials_of_a_gaussian_prove_nearly_what_it_spends() -> None:
    shift, delta, trials = 2.0, 1e-2, 10**7
    best = max(
        from_rates(*(n for at in (shift, 0) for n in (round(trials * float(norm.sf(t - at))), trials)), delta)
        for t in np.linspace(1, 4, 31)
    )
    assert 0.97 * gaussian(shift, delta) < best <= gaussian(shift, delta)


def test_both_bounds_hold_as_often_as_they_say() -> None:
    """Randomised response of epsilon 1: each of 400 canaries, told truly with e / (1 + e)."""
    random, q = np.random.default_rng(3), math.e / (1 + math.e)
    wrong = np.zeros(2)
    for _ in range(60):
        inside = random.random(400) < 0.5
        told = np.where(random.random(400) < q, inside, ~inside)
        right, hits, alarms = int((told == inside).sum()), int((told & inside).sum()), int((told & ~inside).sum())
        wrong += (
            from_guesses(400, 400, right) > 1,
            from_rates(hits, int(inside.sum()), alarms, int((~inside).sum())) > 1,
        )
    assert (wrong / 60 <= 0.1).all()


def test_figures_by_hand() -> None:
    low = float(beta.ppf(0.025, 20, 1))
    assert from_rates(20, 20, 0, 20) == pytest.approx(math.log(low / (1 - low)))
    assert from_guesses(100, 100, 100) == pytest.approx(math.log(0.05**0.01 / (1 - 0.05**0.01)), abs=1e-6)
    assert from_guesses(100, 100, 50) == from_rates(10, 20, 10, 20) == from_rates(0, 0, 0, 9) == 0


@settings(max_examples=15)
@given(st.integers(1, 60), st.data())
def test_delta_and_fewer_right_guesses_prove_less(guesses: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, guesses))
    most = from_guesses(guesses, guesses, right)
    assert from_guesses(guesses, guesses, right, delta=1e-4) <= most
    assert from_guesses(guesses, guesses, max(0, right - 1)) <= most
    assert from_guesses(2 * guesses, guesses, right, delta=1e-4) <= most
