"""Distances between two models' answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from fedrec.distances import DISTANCES, half_jeffreys, jsd, ks, l2

pairs = st.integers(0, 2**20).map(lambda seed: np.random.default_rng(seed).uniform(size=(2, 9)))


@given(pairs, st.sampled_from(sorted(DISTANCES)))
def test_equals_are_no_distance_apart_and_sides_do_not_matter(pair: np.ndarray, name: str) -> None:
    p, q = pair
    distance = DISTANCES[name]
    assert distance(p, p) == pytest.approx(0, abs=1e-12)
    assert distance(p, q) == pytest.approx(distance(q, p)) and distance(p, q) > 0
    assert math.isnan(distance(p[:0], q[:0]))


@given(pairs)
def test_they_are_what_scipy_says(pair: np.ndarray) -> None:
    p, q = pair
    rows = [(np.array([1 - a, a]), np.array([1 - b, b])) for a, b in zip(p, q, strict=True)]
    assert jsd(p, q) == pytest.approx(np.mean([jensenshannon(a, b) ** 2 for a, b in rows]))
    assert l2(p, q) == pytest.approx(np.mean([np.linalg.norm(a - b) for a, b in rows]))
    assert ks(p, q) == pytest.approx(ks_2samp(p, q).statistic)
    assert jsd(p, q) <= min(math.log(2), half_jeffreys(p, q)) + 1e-12


def test_certain_answers_that_differ_are_as_far_apart_as_can_be() -> None:
    p, q = np.zeros(3), np.ones(3)
    assert jsd(p, q) == pytest.approx(math.log(2))
    assert l2(p, q) == pytest.approx(math.sqrt(2))
    assert math.isfinite(half_jeffreys(p, q)) and half_jeffreys(p, q) > 10
