"""Outputs of K passes combined, and one set of weights a window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fedrec.data.prompts import Window
from fedrec.ensemble.aggregators.combine import Form, combine
from fedrec.ensemble.aggregators.weights import row_weights_to_windows
from fedrec.metrics import auc

Array = NDArray[np.float64]
PROBABILITIES = arrays(np.float64, (4, 3), elements=st.floats(0, 1))
WEIGHTS = arrays(np.float64, (4, 3), elements=st.floats(0.01, 1))


@pytest.mark.parametrize("form", ["probability", "logit"])
@given(column=arrays(np.float64, (4, 1), elements=st.floats(1e-9, 1 - 1e-9)), weights=WEIGHTS)
def test_shards_that_agree_are_their_answer(form: Form, column: Array, weights: Array) -> None:
    np.testing.assert_allclose(combine(np.repeat(column, 3, axis=1), weights, form), column[:, 0], rtol=1e-6)


@given(column=arrays(np.float64, (4, 1), elements=st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])), weights=WEIGHTS)
def test_a_unanimous_vote_is_the_decision(column: Array, weights: Array) -> None:
    decision = np.sign(column[:, 0] - 0.5) / 2 + 0.5
    np.testing.assert_allclose(combine(np.repeat(column, 3, axis=1), weights, "vote"), decision)


@pytest.mark.parametrize("form", ["probability", "logit", "vote"])
@given(scores=PROBABILITIES, weights=WEIGHTS)
def test_answers_are_probabilities_and_only_the_ratios_of_weights_count(
    form: Form, scores: Array, weights: Array
) -> None:
    answer = combine(scores, weights, form)
    assert ((answer >= 0) & (answer <= 1)).all()
    np.testing.assert_allclose(combine(scores, 2 * weights, form), answer, atol=1e-12)


@pytest.mark.parametrize("form", ["probability", "logit"])
@given(scores=PROBABILITIES, weights=WEIGHTS)
def test_an_answer_lies_between_those_of_the_shards(form: Form, scores: Array, weights: Array) -> None:
    answer = combine(scores, weights, form)
    assert (answer >= scores.min(axis=1) - 1e-9).all() and (answer <= scores.max(axis=1) + 1e-9).all()


def test_known_answers() -> None:
    scores, equal = np.array([[0.9, 0.4, 0.5, 0.6]]), np.full((1, 4), 0.25)
    assert combine(scores, equal, "probability") == pytest.approx(0.6)
    assert combine(scores, equal, "logit") == pytest.approx(1 / (1 + 9**-0.25))  # the odds 2/3 and 3/2 cancel
    assert combine(scores, equal, "vote") == pytest.approx(0.625)  # two of four, and one undecided
    assert combine(scores, np.array([[0, 1.0, 0, 0]]), "vote") == 0


def test_equal_votes_are_ties_and_count_half() -> None:
    scores = np.array([[0.51, 0.1], [0.99, 0.4]])  # the mean would order them
    assert auc(combine(scores, np.ones((2, 2)), "vote"), np.array([0, 1], np.int8)) == 0.5


@pytest.mark.parametrize("form", ["ND", "D"])
def test_mixed_adapters_have_one_output(form: Form) -> None:
    with pytest.raises(ValueError, match=f"form {form}"):
        combine(np.zeros((1, 2)), np.ones((1, 2)), form)


def test_a_window_takes_the_weights_of_its_first_row() -> None:
    weights = np.arange(12.0).reshape(6, 2)
    rows = ([4, 5], [0], [2, 3])
    windows = [Window(np.arange(9), np.arange(len(r)), np.array(r, np.intp)) for r in rows]
    np.testing.assert_array_equal(row_weights_to_windows(weights, windows), weights[[4, 0, 2]])
    assert row_weights_to_windows(weights, []).shape == (0, 2)
