"""Metrics over all clients' rows, from every score, from counts, or from metrics alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.metrics import auc, logloss, measure
from fedrec.privacy.disclosure import (
    BINS,
    Histogram,
    ScoredRows,
    from_arrays,
    histogram,
    pool,
    shared,
    sum_of,
    to_arrays,
)

SCORES = st.floats(0, 1) | st.sampled_from([0.0, 1e-9, 0.5, 0.5001, 0.7, 1 - 1e-9, 1.0])
ROWS = st.lists(st.tuples(SCORES, st.integers(0, 1), st.integers(0, 4)), max_size=30)


def rows_of(rows: list[tuple[float, int, int]]) -> ScoredRows:
    scores, labels, people = zip(*rows, strict=True) if rows else ((), (), ())
    told = np.array(scores, float)
    return ScoredRows(told, np.array(labels, np.int8), np.array(people, np.int64), at_split=1 - told)


def same(found: float, wanted: float, error: float = 0.0) -> bool:
    return (math.isnan(found) and math.isnan(wanted)) or abs(found - wanted) <= error + 1e-9


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_every_score_gives_what_the_rows_together_give(parts: list[list[tuple[float, int, int]]]) -> None:
    together = rows_of([row for part in parts for row in part])
    wanted = measure(together.scores, together.labels, together.people.astype(np.int32))
    found = pool([rows_of(part) for part in parts])
    assert found.keys() == {"auc", "uauc", "uauc_at_split", "logloss"}
    assert all(same(found[name], getattr(wanted, name)) for name in found.keys() - {"uauc_at_split"})


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_ranking_at_the_split_is_the_mean_of_each_clients_weighed_by_its_ranked_people(parts: list[Any]) -> None:
    told = [rows_of(part) for part in parts]
    each = [measure(rows.scores, rows.labels, rows.people.astype(np.int32), rows.at_split) for rows in told]
    ranked = sum(one.ranked for one in each)
    mean = sum(one.uauc_at_split * one.ranked for one in each if one.ranked) / ranked if ranked else float("nan")
    assert same(pool(told)["uauc_at_split"], mean)


@given(st.lists(ROWS, min_size=1, max_size=4), st.integers(0, 3))
def test_counts_give_auc_and_logloss_within_the_error_they_state(
    parts: list[list[tuple[float, int, int]]], exact: int
) -> None:
    """Also where some clients tell every score: the least that one tells decides."""
    together = rows_of([row for part in parts for row in part])
    told = [rows_of(part) if i < exact and i else histogram(rows_of(part)) for i, part in enumerate(parts)]
    found = pool(told)
    assert same(found["auc"], auc(together.scores, together.labels), found["auc_error"])
    assert same(found["logloss"], logloss(together.scores, together.labels), found["logloss_error"])
    assert math.isnan(found["logloss_error"]) or found["logloss_error"] < 0.004


def test_the_error_is_small_for_scores_as_a_model_gives_them() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 5000).astype(np.int8)
    scores = 1 / (1 + np.exp(-random.normal(labels, 1)))
    rows = ScoredRows(scores, labels, np.zeros(5000, np.int64), scores)
    found = pool([histogram(rows)])
    assert found["auc_error"] < 0.002 and found["logloss_error"] < 0.003


@given(ROWS, ROWS)
def test_the_sum_of_histograms_is_the_histogram_of_all(some: list[Any], others: list[Any]) -> None:
    both, summed = histogram(rows_of(some + others)), sum_of([histogram(rows_of(some)), histogram(rows_of(others))])
    np.testing.assert_array_equal([both.liked, both.disliked], [summed.liked, summed.disliked])
    assert len(both) == len(some) + len(others)


def test_nothing_follows_where_one_client_tells_nothing() -> None:
    rows = rows_of([(0.3, 0, 1), (0.6, 1, 1)])
    assert pool([rows, None]) == pool([None]) == pool([]) == {}


@pytest.mark.parametrize(
    ("asked", "allowed", "kind"),
    [
        ("scores", "scores", ScoredRows),
        ("scores", "histogram", Histogram),
        ("histogram", "scores", Histogram),
        ("scores", "metrics", type(None)),
        ("metrics", "scores", type(None)),
    ],
)
def test_a_client_tells_what_is_asked_for_and_no_more_than_it_may(asked: Any, allowed: Any, kind: type) -> None:
    assert type(shared(rows_of([(0.3, 0, 1)]), asked, allowed)) is kind


GOOD = to_arrays(rows_of([(0.3, 0, 1), (0.6, 1, 1)]))
COUNTED = to_arrays(histogram(rows_of([(0.3, 0, 1)])))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({**GOOD, "scored/more": GOOD["scored/labels"]}, "neither scored rows nor a histogram"),
        ({**GOOD, **COUNTED}, "neither scored rows nor a histogram"),
        ({**GOOD, "scored/scores": np.array([0.3, 1.1])}, "a score is not within 0 and 1"),
        ({**GOOD, "scored/scores": np.array([0.3, np.nan])}, "a score is not within 0 and 1"),
        ({**GOOD, "scored/scores": np.array([0.3, 0.4], np.float32)}, "other types than"),
        ({**GOOD, "scored/at_split": np.array([np.nan, -0.1])}, "a score is not within 0 and 1"),
        ({**GOOD, "scored/labels": np.array([0, 2], np.int8)}, "a label is neither 0 nor 1"),
        ({**GOOD, "scored/people": np.array([1])}, "not two scores, a label and a person each"),
        ({**COUNTED, "histogram/liked": np.zeros(BINS)}, f"a histogram is not {BINS} integers"),
        ({**COUNTED, "histogram/liked": np.full(BINS, -1)}, "a count is no number of rows"),
    ],
)
def test_what_is_no_such_thing_is_refused_with_one_line(arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_arrays(arrays)
