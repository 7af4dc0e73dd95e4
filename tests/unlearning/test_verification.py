"""The verdict and its measures: two-sided, honest about few rows, and by the thresholds alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from unlearning.audit.canonical import canonical, parse
from unlearning.verification import (
    Measures,
    Report,
    Thresholds,
    adapter_faults,
    auc_change,
    coarse_change,
    coarse_membership,
    membership_auc,
    verdict,
)

CLEAN = {"traces": 0, "adapters_not_finite": 0, "adapters_untrained": 0}
SCORES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=8).map(np.array)


def judged(auc, low, high, reference=0.5, **thresholds):
    measures = Measures(
        membership_auc=auc, membership_low=low, membership_high=high, membership_reference=reference, **CLEAN
    )
    return verdict(measures, Thresholds(**thresholds))


@settings(max_examples=40, deadline=None)
@given(SCORES, SCORES)
def test_membership_is_two_sided(forgotten, unseen):
    """Exchanging the groups mirrors AUC and interval at 1/2, and the verdict is the same."""
    auc, low, high = membership_auc(forgotten, unseen)
    assert 0 <= low <= auc <= high <= 1
    assert auc == pytest.approx(np.mean(np.sign(forgotten[:, None] - unseen) / 2 + 0.5))
    mirrored = membership_auc(unseen, forgotten)
    assert mirrored == pytest.approx((1 - auc, 1 - high, 1 - low))
    assert judged(auc, low, high).verdict == judged(*mirrored).verdict


def test_the_interval_covers_the_truth():
    """Even where DeLong's collapses: five rows, AUC 0.95."""
    random, hits = np.random.default_rng(0), 0
    shift = 1.6448536 * math.sqrt(2)  # Φ(shift / √2) = 0.95
    for _ in range(200):
        _, low, high = membership_auc(random.normal(shift, 1, 5), random.normal(0, 1, 60))
        hits += low <= 0.95 <= high
    assert hits >= 180


def test_more_rows_narrow_the_interval_and_two_decide_nothing():
    random = np.random.default_rng(0)
    widths = []
    for rows in (5, 50, 500):
        _, low, high = membership_auc(random.normal(0, 1, rows), random.normal(0, 1, rows))
        widths.append(high - low)
    assert sorted(widths, reverse=True) == widths
    assert membership_auc(np.array([2.0]), np.array([1.0]))[1] < 0.5
    assert all(map(math.isnan, membership_auc(np.array([]), np.array([1.0]))))


@pytest.mark.parametrize("auc, passes", [(0.02, False), (0.5, True), (0.98, False)])
def test_over_forgotten_fails_like_remembered(auc, passes):
    report = judged(auc, auc - 0.02, auc + 0.02)
    assert (report.verdict == "PASS") == passes
    assert ("over-forgotten" in report.distances[0].why) == (auc < 0.4)


def test_the_reference_is_what_counts():
    assert judged(0.7, 0.68, 0.72, reference=0.7).verdict == "PASS"
    assert judged(0.5, 0.48, 0.52, reference=0.7).verdict == "FAIL"


def test_the_far_end_must_be_shown():
    assert judged(0.5, 0.3, 0.7).verdict == "PASS"
    assert judged(0.5, 0.3, 0.7, membership_end="far").verdict == "FAIL"
    assert verdict(Measures(**CLEAN), Thresholds()).verdict == "PASS"
    assert verdict(Measures(**CLEAN), Thresholds(membership_end="far")).verdict == "FAIL"


@pytest.mark.parametrize(
    "measured",
    [{"traces": 1}, {"adapters_not_finite": 1}, {"adapters_untrained": 1}, {"unequal_adapters": 1}, {"utility": -0.06},
     {"distribution": 0.3}],
)  # fmt: skip
def test_each_measure_alone_can_fail(measured):
    report = verdict(Measures(**{**CLEAN, **measured}), Thresholds())
    assert report.verdict == "FAIL"
    assert [distance.ok for distance in report.distances].count(False) == 1


def test_a_distance_is_a_multiple_of_its_threshold():
    report = verdict(Measures(utility=-0.02, distribution=0.1, **CLEAN), Thresholds(utility=0.04, distribution=0.4))
    assert [distance.multiple for distance in report.distances] == [0.5, 0.25, None, None, None]
    assert verdict(Measures(utility=0.3, **CLEAN), Thresholds()).verdict == "PASS"  # a gain is no loss


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1, 300), st.integers(1, 300))
def test_the_change_of_an_auc_lies_in_its_interval(before: float, after: float, m: int, n: int) -> None:
    change, low, high = auc_change(before, after, m, n)
    assert low <= change == after - before <= high
    assert auc_change(after, before, m, n) == pytest.approx((-change, -high, -low))


def test_few_rows_lose_utility_by_chance_and_many_do_not() -> None:
    for rows, outcome in ((3, "PASS"), (3000, "FAIL")):
        change, low, high = auc_change(0.8, 0.65, rows, rows)
        measures = Measures(utility=change, utility_low=low, utility_high=high, **CLEAN)
        assert verdict(measures, Thresholds()).verdict == outcome


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


@pytest.mark.parametrize("field", ["utility", "membership_auc", "distribution"])
def test_nan_is_no_measure(field):
    with pytest.raises(ValidationError):
        Measures(**CLEAN, **{field: math.nan})


def test_adapter_faults():
    def adapter(a, b):
        return {"layer.lora_A": np.array([a]), "layer.lora_B": np.array([b])}

    adapters = [adapter(1.0, 2.0), adapter(0.0, 2.0), adapter(1.0, 0.0), adapter(math.nan, 1.0), adapter(1.0, math.inf)]
    assert adapter_faults(adapters) == (2, 1)


@given(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02), st.integers(1, 500), st.integers(1, 500))
def test_the_verdict_on_a_report_as_it_is_kept_is_the_one_that_is_kept(before, change, m, n):
    """A change that is rounded to minus zero is read back as zero, and its sign is shown."""
    utility, low, high = coarse_change(0.5 + before, 0.5 + before + change, m, n)
    report = verdict(Measures(**CLEAN, utility=utility, utility_low=low, utility_high=high), Thresholds())
    kept = Report.model_validate(parse(canonical(report.model_dump(mode="json"))))
    assert verdict(kept.measures, kept.thresholds) == kept
