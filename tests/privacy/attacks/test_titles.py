"""Finding the titles that were met: figures by hand, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.metrics import auc
from fedrec.privacy.attacks.titles import titles_found


def test_a_score_that_tells_finds_all_and_a_constant_finds_as_many_as_guessing() -> None:
    met = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]], bool)
    told = titles_found(met * 2.0, met)
    assert (told.auc, told.precision, told.met) == (1, 1, 5 / 12)
    assert (told.auc_low, told.precision_low) == (1, 1)
    assert titles_found(np.ones((2, 6)), met).auc == 0.5


def test_clients_who_met_all_or_none_count_nothing() -> None:
    assert np.isnan(titles_found(np.ones((2, 3)), np.array([[True] * 3, [False] * 3])).auc)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_it_is_the_mean_of_the_clients_aucs_within_its_interval(seed: int) -> None:
    random = np.random.default_rng(seed)
    met = random.random((3, 40)) < 0.4
    met[:, :2] = [True, False]
    scores = np.round(random.normal(size=(3, 40)) + met, 1)
    found = titles_found(scores, met)
    each = [auc(row, seen.astype(np.int8)) for row, seen in zip(scores, met, strict=True)]
    assert found.auc == pytest.approx(np.mean(each))
    assert found.auc_low <= found.auc <= found.auc_high
    assert found.precision_low <= found.precision <= found.precision_high
