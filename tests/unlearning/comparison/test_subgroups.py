"""Groups of people whom forgetting may fail."""

from __future__ import annotations

import numpy as np

from fedrec.data.dataset import TRAIN, Interactions
from unlearning.comparison.subgroups import subgroups


def test_groups_are_a_quarter_of_the_people_whose_rows_are_deleted() -> None:
    user = np.array([0] * 6 + [1] * 2 + [2] * 2 + [3] * 2 + [4] * 4, np.int32)
    item = np.array([0, 1, 2, 3, 0, 1, 0, 1, 0, 1, 7, 8, 0, 1, 2, 3], np.int32)
    n = len(user)
    zeros = np.zeros(n, np.int64)
    rows = Interactions(user, item, zeros.astype(np.int8), zeros, np.full(n, TRAIN, np.int8), tuple("abcde"))
    deleted = user < 4
    found = subgroups(rows, deleted)
    assert found["heavy"].tolist() == [True] * 6 + [False] * 6
    assert found["rare"].tolist() == [False] * 10 + [True] * 2
    assert subgroups(rows, np.zeros(n, bool)) == {}
