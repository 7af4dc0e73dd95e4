"""APA's weights, and the neighbours they are read off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.config import AggregationConfig
from fedrec.ensemble.aggregators.adaptive import adaptive, errors, local_errors, major
from fedrec.ensemble.aggregators.neighbours import directions, nearest
from fedrec.metrics import logloss
from tests.ensemble.aggregators.world import ROWS, evidence

SEEDS = st.integers(0, 2**16)
READINGS = ("probability", "absolute", "squared", "logloss")


@given(SEEDS)
def test_tau_zero_weighs_equally_and_a_great_tau_picks_the_best(seed: int) -> None:
    found = evidence(seed)
    np.testing.assert_array_equal(adaptive(found, ROWS, AggregationConfig(tau=0)), np.full((7, 3), 1 / 3))
    sharp = AggregationConfig(tau=1e12, neighbours=3)
    np.testing.assert_allclose(adaptive(found, ROWS, sharp), major(found, ROWS, sharp), atol=1e-9)


@given(SEEDS, st.floats(0.1, 100))
def test_less_error_more_weight(seed: int, tau: float) -> None:
    settings = AggregationConfig(tau=tau, neighbours=4)
    weights, error = adaptive(evidence(seed), ROWS, settings), local_errors(evidence(seed), ROWS, settings)
    np.testing.assert_array_equal(weights.argmax(axis=1), error.argmin(axis=1))
    np.testing.assert_array_equal(weights.argmax(axis=1), major(evidence(seed), ROWS, settings).argmax(axis=1))


@pytest.mark.parametrize("reading", READINGS)
def test_the_error_is_the_mean_over_the_nearest_rows_found_by_hand(reading: str) -> None:
    found = evidence(4)
    settings = AggregationConfig.model_validate({"error": reading, "neighbours": 6})
    each = errors(found.scores, found.labels, settings.error)
    for row, error in zip(ROWS, local_errors(found, ROWS, settings), strict=True):
        lengths = np.linalg.norm(found.vectors, axis=1)
        judges = np.argsort(-(found.vectors @ row) / lengths)[:6]
        np.testing.assert_allclose(error, each[judges].mean(axis=0))


def test_the_four_readings() -> None:
    scores, labels = np.array([[0.8, 0.3], [0.6, 0.0]]), np.array([1, 0], np.int8)
    expected = np.array([[0.2, 0.7], [0.6, 0.0]])
    np.testing.assert_allclose(errors(scores, labels, "probability"), expected)
    np.testing.assert_allclose(errors(scores, labels, "absolute"), expected)
    np.testing.assert_allclose(errors(scores, labels, "squared"), expected**2)
    for k in range(2):
        assert errors(scores, labels, "logloss")[:, k].mean() == pytest.approx(logloss(scores[:, k], labels), abs=1e-6)


@given(SEEDS)
def test_rows_that_are_nobodys_neighbours_can_go_to_the_last_bit(seed: int) -> None:
    found, settings = evidence(seed), AggregationConfig(neighbours=2)
    judges = np.isin(np.arange(30), nearest(ROWS, found.vectors, 2))
    assert not judges.all()
    np.testing.assert_array_equal(adaptive(found.take(judges), ROWS, settings), adaptive(found, ROWS, settings))


@given(SEEDS)
def test_a_judge_that_goes_changes_only_the_rows_it_judged(seed: int) -> None:
    found, settings = evidence(seed), AggregationConfig(neighbours=2)
    judges = nearest(ROWS, found.vectors, 2)
    gone = judges[0, 0]
    without = adaptive(found.take(np.arange(30) != gone), ROWS, settings)
    unjudged = ~(judges == gone).any(axis=1)
    np.testing.assert_array_equal(without[unjudged], adaptive(found, ROWS, settings)[unjudged])


def test_with_fewer_rows_than_neighbours_all_of_them_judge() -> None:
    found = evidence(valid=5)
    every = errors(found.scores, found.labels, "squared").mean(axis=0)
    np.testing.assert_allclose(local_errors(found, ROWS, AggregationConfig(neighbours=100)), np.tile(every, (7, 1)))


def test_equally_near_rows_come_by_index_however_many_there_are() -> None:
    row = np.random.default_rng(0).normal(size=(1, 33)).astype(np.float32)
    far = -row
    among = np.concatenate([far, np.repeat(row, 700, axis=0), far])
    np.testing.assert_array_equal(nearest(np.repeat(row, 600, axis=0), among, 3), np.tile([1, 2, 3], (600, 1)))
    np.testing.assert_array_equal(nearest(row, among, 702)[0], [*range(1, 701), 0, 701])


@given(SEEDS)
def test_cosines_do_not_depend_on_the_order_of_adding(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = directions(random.normal(size=(9, 57))), directions(random.normal(size=(5, 57)))
    order = random.permutation(57)
    np.testing.assert_array_equal(a @ b.T, a[:, order] @ b[:, order].T)
    np.testing.assert_array_equal((a @ b.T)[:2], a[:2] @ b.T)


def test_a_vector_without_length_has_no_direction() -> None:
    np.testing.assert_array_equal(directions(np.zeros((1, 3))), np.zeros((1, 3)))
