"""Sampling: deterministic, independent of order, fair, never nobody."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sampling import choose, needed, wanted

NAMES = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=12, unique=True)
FRACTIONS = st.floats(0.001, 1)


@given(st.data(), NAMES, FRACTIONS, st.integers(0, 5), st.integers(0, 9), st.integers(0, 9))
def test_the_draw_does_not_depend_on_the_order_of_names(
    data: st.DataObject, names: list[str], fraction: float, oversample: int, seed: int, round: int
) -> None:
    shuffled = data.draw(st.permutations(names))
    assert choose(names, fraction, oversample, seed, round) == choose(shuffled, fraction, oversample, seed, round)


@given(NAMES, FRACTIONS, st.integers(0, 5), st.integers(0, 20))
def test_the_draw_is_a_subset_that_can_answer(
    names: list[str], fraction: float, oversample: int, min_replies: int
) -> None:
    asked, enough = choose(names, fraction, oversample, 0, 0, min_replies)
    assert set(asked) <= set(names) and len(set(asked)) == len(asked)
    assert len(asked) == min(len(names), wanted(len(names), fraction) + oversample)
    assert 1 <= enough <= len(asked)


@given(NAMES)
def test_the_whole_fraction_asks_everybody(names: list[str]) -> None:
    assert choose(names, 1.0, 0, 3, 4) == (sorted(names), len(names))


def test_a_draw_is_fixed_for_good() -> None:
    names = [f"client-{i}" for i in range(10)]
    assert choose(names, 0.3, 1, 42, 0) == (["client-1", "client-5", "client-7", "client-9"], 3)


def test_rounds_and_seeds_draw_differently_and_evenly() -> None:
    names = [f"client-{i}" for i in range(10)]
    draws = [choose(names, 0.3, 0, seed, round)[0] for seed in range(10) for round in range(100)]
    counts = Counter(name for draw in draws for name in draw)
    assert all(230 <= counts[name] <= 370 for name in names)  # 300 expected, standard deviation 14.5


def test_a_client_that_goes_moves_nobody_else_out() -> None:
    names = [f"client-{i}" for i in range(10)]
    before, _ = choose(names, 0.5, 0, 1, 1)
    after, _ = choose([name for name in names if name != before[0]], 5 / 9, 0, 1, 1)
    assert set(before) - {before[0]} < set(after)


@pytest.mark.parametrize(("clients", "fraction", "expected"), [(10, 0.01, 1), (10, 0.25, 3), (5, 0.3, 2), (7, 1, 7)])
def test_wanted(clients: int, fraction: float, expected: int) -> None:
    assert wanted(clients, fraction) == expected


@pytest.mark.parametrize(("min_replies", "expected"), [(0, 3), (2, 2), (5, 5), (9, 5)])
def test_needed_is_all_that_the_fraction_wants_or_k_of_those_asked(min_replies: int, expected: int) -> None:
    assert needed(asked=5, wanted=3, min_replies=min_replies) == expected


def test_nobody_to_ask_is_an_error() -> None:
    with pytest.raises(ValueError, match="no clients"):
        choose([], 1.0, 0, 0, 0)
