"""Averages: identity on equals, permutation, convexity, exact sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fedrec.protocol.adapters import KNOWN, State
from fedrec.protocol.item_precision import Precision
from fedrec.protocol.item_rows import items_of, rows_of, with_rows
from fedrec.strategies import columns
from fedrec.strategies.averaging import weighted_mean, weighted_sum
from fedrec.strategies.balance import mix, trust_of

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 10_000)
EVERY = np.arange(11, dtype=np.int32)


def state(values: np.ndarray) -> State:
    return {"layer.A": values.reshape(2, 3), "layer.B": values[::-1].reshape(3, 2)}


STATES = st.lists(arrays(np.float32, 6, elements=FLOATS).map(state), min_size=1, max_size=5)


@given(arrays(np.float32, 6, elements=FLOATS), st.lists(COUNTS, min_size=1, max_size=7))
def test_the_mean_of_equals_is_that_state_bit_for_bit(values: np.ndarray, examples: list[int]) -> None:
    one = state(values)
    mean = weighted_mean([one] * len(examples), examples)
    assert {key: array.tobytes() for key, array in mean.items()} == {key: array.tobytes() for key, array in one.items()}


@given(st.data(), STATES)
def test_every_value_lies_between_its_sources(data: st.DataObject, states: list[State]) -> None:
    mean = weighted_mean(states, data.draw(st.lists(COUNTS, min_size=len(states), max_size=len(states))))
    for key, value in mean.items():
        sources = np.stack([state[key] for state in states])
        assert value.dtype == np.float32
        assert (sources.min(0) <= value).all() and (value <= sources.max(0)).all()


@given(st.data(), STATES)
def test_pairs_of_state_and_examples_may_be_permuted(data: st.DataObject, states: list[State]) -> None:
    examples = data.draw(st.lists(COUNTS, min_size=len(states), max_size=len(states)))
    order = data.draw(st.permutations(range(len(states))))
    mean = weighted_mean(states, examples)
    other = weighted_mean([states[i] for i in order], [examples[i] for i in order])
    for key in mean:
        size = np.abs(np.stack([state[key] for state in states])).max(initial=0).astype(np.float64)
        assert np.abs(mean[key].astype(np.float64) - other[key]).max() <= 1e-6 * size


def test_examples_are_the_weights() -> None:
    low, high = state(np.zeros(6, np.float32)), state(np.full(6, 4, np.float32))
    assert (weighted_mean([low, high], [3, 1])["layer.A"] == 1).all()
    assert (weighted_mean([low, high], [0, 5])["layer.B"] == 4).all()


def test_without_any_example_the_mean_is_plain() -> None:
    low, high = state(np.zeros(6, np.float32)), state(np.full(6, 4, np.float32))
    assert (weighted_mean([low, high], [0, 0])["layer.A"] == 2).all()


def test_sums_are_in_float64() -> None:
    """In float32 the small terms would vanish beside the large one, one by one."""
    states = [state(np.full(6, value, np.float32)) for value in [1e8, *[1.0] * 64, -1e8]]
    total = weighted_sum(states, np.ones(len(states)))
    assert (total["layer.A"] == 64).all()


def test_a_list_that_does_not_match_is_refused() -> None:
    states = [state(np.zeros(6, np.float32))] * 2
    with pytest.raises(ValueError):
        weighted_sum(states, np.ones(3))


def knows(items: Sequence[int], answers: Sequence[int], prior: float = 0.2) -> Precision:
    return Precision((np.array(items, np.int32), np.array(answers, np.int32)), prior)


def test_an_items_row_counts_by_the_answers_it_was_learnt_from() -> None:
    """Posteriors of three with a third of the prior each are, in the mean, that of all answers together."""
    rows = [np.full((3, 1), each, np.float32) for each in (1, 5, 9)]
    states = [with_rows({"l.A": each}, np.arange(3), each) for each in rows]
    known = [knows([0, 1], [10, 1]), knows([0], [1]), knows([], [])]
    mean = weighted_mean(states, [1, 1, 1], known)
    wanted = [(2.2 * 1 + 0.4 * 5 + 0.2 * 9) / 2.8, (0.4 * 1 + 0.2 * 5 + 0.2 * 9) / 0.8, 5]
    np.testing.assert_allclose(mean["items.A"].ravel(), wanted, rtol=1e-6)
    assert mean["l.A"].ravel().tolist() == [5.0] * 3
    assert weighted_mean(states, [1, 1, 1])["items.A"].ravel().tolist() == [5.0] * 3
    few = mix(states, np.full((3, 3), 1 / 3), known)
    many = mix(states * 30, np.full((90, 90), 1 / 90), known * 30)
    np.testing.assert_allclose(many[0]["items.A"], few[0]["items.A"], rtol=1e-6)


@given(st.data(), st.integers(2, 5))
def test_means_by_answers_are_what_all_answers_give(data: st.DataObject, clients: int) -> None:
    """With answers of one information each and a part of the prior, however they are spread over clients."""
    counts = np.array(data.draw(st.lists(st.integers(0, 30), min_size=clients, max_size=clients)))
    sums = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=clients, max_size=clients))) * (counts > 0)
    own = (sums / (0.2 * counts + 1 / clients)).astype(np.float32)
    states = [with_rows({}, np.arange(1), np.full((1, 1), each, np.float32)) for each in own]
    known = [knows([0] if count else [], [count] if count else [], 1 / clients) for count in counts]
    mean = rows_of(weighted_mean(states, [1] * clients, known), np.arange(1, dtype=np.int32))
    np.testing.assert_allclose(mean.ravel(), [sums.sum() / (0.2 * counts.sum() + 1)], rtol=1e-4, atol=1e-5)


@given(st.data(), STATES)
def test_where_everybody_knows_as_much_it_is_the_mean(data: st.DataObject, states: list[State]) -> None:
    examples = [data.draw(st.integers(1, 100))] * len(states)
    items = [with_rows({}, EVERY[:2], each["layer.A"]) for each in states]
    plain, known = (weighted_mean(items, examples, each) for each in ((), [knows([0, 1], [3, 3])] * len(items)))
    np.testing.assert_allclose(rows_of(known, EVERY), rows_of(plain, EVERY), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("numbers", [1, 1000, 20_000_000])
def test_item_rows_of_many_clients_are_mixed_as_those_of_few(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By products of matrices, however many rows at once."""
    monkeypatch.setattr(columns, "_NUMBERS", numbers)
    random = np.random.default_rng(0)
    whole = [random.normal(size=(11, 3)).astype(np.float32) for _ in range(70)]
    for each in whole:
        each[random.random(11) < 0.3] = 0
    states = [with_rows({}, EVERY, each) for each in whole]
    met = [EVERY[(random.random(11) < 0.1) & (EVERY != 4)] for _ in states]
    known = [knows(each, random.integers(1, 9, len(each))) for each in met]
    weights = random.random((70, 70)) * (random.random((70, 70)) < 0.1) + np.eye(70)
    weights /= weights.sum(1, keepdims=True)
    for mixed, row, trust in zip(mix(states, weights, known), weights, trust_of(weights), strict=True):
        expected = weighted_sum(states, row, known, trust)
        assert items_of(mixed).tolist() == items_of(expected).tolist()
        np.testing.assert_allclose(mixed["items.A"], expected["items.A"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mixed[KNOWN], expected[KNOWN], rtol=1e-5)
