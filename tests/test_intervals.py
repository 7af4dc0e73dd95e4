"""Intervals of an AUC's change, and of figures over people."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.intervals import auc_change, auc_margin, margin_of, mean_margin, pooled_mean_margin
from fedrec.metrics import auc
from fedrec.privacy.disclosure import ScoredRows, auc_variance_of, counted

ROWS = st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.5, 0.9]), st.integers(0, 1), st.integers(0, 6)), max_size=30)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1, 300), st.integers(1, 300))
def test_the_change_of_an_auc_lies_in_its_interval(before: float, after: float, m: int, n: int) -> None:
    change, low, high = auc_change(before, after, m, n)
    assert low <= change == after - before <= high
    assert auc_change(after, before, m, n) == pytest.approx((-change, -high, -low))


@given(st.lists(st.floats(0, 1), max_size=40))
def test_the_margin_of_a_mean_is_that_of_drawing_people(values: list[float]) -> None:
    if len(values) < 2:
        assert math.isnan(mean_margin(values))
    else:
        assert mean_margin(values) == pytest.approx(1.96 * np.std(values) / len(values) ** 0.5, rel=1e-3, abs=1e-12)


@given(ROWS, st.randoms())
def test_the_margin_of_an_auc_is_the_same_in_any_order_and_by_any_numbers(rows: list, random) -> None:
    def margin(rows: list) -> float:
        scores, labels, people = zip(*rows, strict=True) if rows else ((), (), ())
        return auc_margin(np.array(scores), np.array(labels, np.int8), 3 * np.array(people, np.int64) - 5)

    shuffled = random.sample(rows, len(rows))
    first, second = margin(rows), margin(shuffled)
    assert first == second or (math.isnan(first) and math.isnan(second))
    if len({label for _, label, _ in rows}) < 2 or len({person for *_, person in rows}) < 2:
        assert math.isnan(first)


def test_the_margin_of_an_auc_is_that_of_worlds_drawn_anew() -> None:
    def world(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        people = np.repeat(np.arange(150), 8)
        level = random.normal(0, 1.5, 150)[people]  # a person's rows are alike, and so no 1,200 of them
        scores = level + random.normal(0, 1, len(people))
        labels = (random.random(len(people)) < 1 / (1 + np.exp(-level))).astype(np.int8)
        return scores, labels, people

    spread = 1.96 * np.std([auc(*world(seed)[:2]) for seed in range(300)])
    assert auc_margin(*world(0)) == pytest.approx(spread, rel=0.3)

    scores, labels, people = world(0)
    everything = ScoredRows(1 / (1 + np.exp(-scores)), labels, people, scores)
    parts = [everything.take(people % 7 < 2), everything.take(people % 7 >= 2)]  # two clients'
    everybody, alone = counted(parts), counted(parts[:1])
    assert everybody is not None and alone is not None
    found = margin_of(sum(auc_variance_of(part, everybody) for part in parts))
    assert found == pytest.approx(auc_margin(*world(0)), rel=0.1)
    assert found == pytest.approx(margin_of(auc_variance_of(everything, everybody)))  # however people are spread
    with pytest.raises(ValueError, match="have not these among them"):
        auc_variance_of(parts[1], alone)


@given(st.lists(st.lists(st.floats(0, 1), max_size=6), max_size=4))
def test_the_margin_of_a_mean_is_the_same_however_people_are_spread(parts: list[list[float]]) -> None:
    told = [(len(part), float(np.mean(part)) if part else math.nan, mean_margin(part)) for part in parts]
    wanted, found = mean_margin([value for part in parts for value in part]), pooled_mean_margin(told)
    assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)
