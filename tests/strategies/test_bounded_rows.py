"""The bound on one client's item rows: what most clients send stays as it is, and nobody's counts more than theirs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, State
from fedrec.protocol.item_rows import check, with_rows
from fedrec.strategies.bounded_rows import Sent, bounded


def sent(random: np.random.Generator, length: float, most: int) -> Sent:
    items = np.sort(random.permutation(30)[:8]).astype(np.int32)
    rows = random.normal(size=(8, 2)).astype(np.float32)
    rows *= np.float32(length) / np.linalg.norm(rows, axis=1, keepdims=True)
    counts = np.ones(8, np.int32)
    counts[0] = most
    state: State = with_rows({ITEMS_B: np.ones((2, 4), np.float32)}, items, rows)
    return state, (items, counts)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.floats(2, 100), st.integers(20, 10**6))
def test_a_row_and_a_count_beyond_the_others_are_cut_to_what_the_others_send(
    seed: int, length: float, most: int
) -> None:
    random = np.random.default_rng(seed)
    given_ = {name: sent(random, 1, 2) for name in "abc"} | {"wild": sent(random, length, most)}
    found = bounded(given_)
    for name in "abc":
        assert np.array_equal(found[name][0][ITEMS_A], given_[name][0][ITEMS_A])
        assert np.array_equal(found[name][1][1], given_[name][1][1])
    state, answers = found["wild"]
    check(state, 30, 2)
    assert np.linalg.norm(state[ITEMS_A], axis=1).max() <= 1.5001
    assert answers[1].max() <= 1.5 * 2 / 9 * (7 + most) + 1
    before = given_["wild"][0][ITEMS_A]
    assert np.allclose(
        state[ITEMS_A] / np.linalg.norm(state[ITEMS_A], axis=1, keepdims=True) * length, before, rtol=1e-4
    )


def test_without_item_rows_or_counts_nothing_changes() -> None:
    bare: dict[str, Sent] = {name: ({"q.A": np.ones((1, 2), np.float32)}, None) for name in "ab"}
    assert bounded(bare) == bare
    state, _ = sent(np.random.default_rng(0), 1, 2)
    assert bounded({"a": (state, None)})["a"] == (state, None)
