"""What is told coarsely gives no number of rows away."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.privacy.attacks.membership import membership_auc
from fedrec.privacy.coarsening import coarse_change, coarse_membership


@pytest.mark.parametrize(("few", "many"), [(8, 15), (16, 31), (64, 127)])
def test_a_coarse_membership_gives_no_number_of_rows_away(few: int, many: int) -> None:
    random = np.random.default_rng(0)
    unseen = random.normal(0, 1, 400)
    for rows in range(few, many + 1):
        scores = random.normal(0, 1, rows)
        told, exact = coarse_membership(scores, unseen), membership_auc(scores, unseen)
        assert abs(told[0] - exact[0]) < 0.0051 and told[1] < exact[1] + 0.0051 and told[2] > exact[2] - 0.0051
        assert told == tuple(round(value, 2) for value in told)
    same = {coarse_membership(np.full(rows, 0.0), np.zeros(400)) for rows in range(few, many + 1)}
    assert len(same) == 1 and coarse_membership(np.zeros(2 * few), np.zeros(400)) not in same
    assert all(map(math.isnan, coarse_membership(np.array([]), unseen)))


@given(st.floats(0.3, 0.9), st.floats(0.3, 0.9), st.integers(8, 11), st.integers(32, 49))
def test_neither_how_many_were_forgotten_nor_how_many_are_left_follows_from_what_is_told(
    before: float, after: float, few: int, many: int
) -> None:
    told = {coarse_change(before, after, m, n) for m in (8, few, 15) for n in (32, many, 63)}
    assert len(told) == 1
    assert told == {tuple(round(value, 2) for value in next(iter(told)))}
    seen = {coarse_membership(np.zeros(m), np.zeros(n)) for m in (8, few, 15) for n in (32, many, 63)}
    assert len(seen) == 1
