"""Metrics against scikit-learn and their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import log_loss, roc_auc_score

from fedrec.metrics import auc, logloss, measure, uauc

ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.integers(0, 1), st.integers(0, 4)), min_size=1
)


def columns(rows: list[tuple[float, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, labels, users = zip(*rows, strict=True)
    return np.array(scores), np.array(labels, np.int8), np.array(users, np.int32)


@given(ROWS)
def test_auc_and_logloss_equal_scikit_learns(rows: list[tuple[float, int, int]]) -> None:
    scores, labels, _ = columns(rows)
    if len(set(labels.tolist())) == 1:
        assert math.isnan(auc(scores, labels))
    else:
        assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert logloss(scores, labels) == pytest.approx(log_loss(labels, np.clip(scores, 1e-7, 1 - 1e-7), labels=[0, 1]))


@given(ROWS)
def test_auc_is_that_of_the_ranks_to_the_last_bit(rows: list[tuple[float, int, int]]) -> None:
    """Results are compared byte by byte, so another way to compute it must not move them."""
    scores, labels, _ = columns(rows)
    likes, others = int((labels == 1).sum()), int((labels == 0).sum())
    if likes and others:
        assert auc(scores, labels) == (rankdata(scores)[labels == 1].sum() - likes * (likes + 1) / 2) / (likes * others)
        assert math.isnan(auc(np.append(scores, np.nan), np.append(labels, 1)))


@given(ROWS)
def test_uauc_is_the_mean_over_users_with_both_classes(rows: list[tuple[float, int, int]]) -> None:
    scores, labels, users = columns(rows)
    values = [auc(scores[users == user], labels[users == user]) for user in set(users.tolist())]
    values = [value for value in values if not math.isnan(value)]
    found = uauc(scores, labels, users)
    assert found == pytest.approx(np.mean(values)) if values else math.isnan(found)


@given(ROWS)
def test_auc_depends_on_the_order_of_scores_only(rows: list[tuple[float, int, int]]) -> None:
    scores, labels, _ = columns(rows)
    np.testing.assert_allclose(auc(scores, labels), auc(scores**3 * 7 - 2, labels))
    if len(set(labels.tolist())) == 2:
        assert auc(scores, labels) + auc(-scores, labels) == pytest.approx(1.0)


def test_nothing_to_measure_is_nan() -> None:
    nothing = measure(np.array([]), np.array([], np.int8), np.array([], np.int32))
    assert nothing.examples == 0
    assert all(math.isnan(value) for value in (nothing.auc, nothing.uauc, nothing.logloss))
