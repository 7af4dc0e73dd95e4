"""Intervals of an AUC's change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.intervals import auc_change


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1, 300), st.integers(1, 300))
def test_the_change_of_an_auc_lies_in_its_interval(before: float, after: float, m: int, n: int) -> None:
    change, low, high = auc_change(before, after, m, n)
    assert low <= change == after - before <= high
    assert auc_change(after, before, m, n) == pytest.approx((-change, -high, -low))
