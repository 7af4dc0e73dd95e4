"""Membership inference: its interval covers the truth, and few rows decide nothing."""

import math

import numpy as np

from fedrec.privacy.attacks.membership import attack, membership_auc, true_positives


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


def test_an_attacker_is_sure_of_those_above_what_one_in_a_hundred_others_reaches() -> None:
    unseen = np.arange(200.0)
    assert true_positives(np.array([0.0, 198.0, 198.5, 300.0]), unseen) == 0.75, "two of 200 are above 197"
    assert math.isnan(true_positives(unseen[:0], unseen))


def test_intervals_are_over_people() -> None:
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(20), 10)
    forgotten, unseen = random.normal(1.0, 1, 200), random.normal(0, 1, 200)
    found = attack(forgotten, unseen, (people, people))
    assert found.auc == membership_auc(forgotten, unseen)[0]
    assert 0.6 < found.auc_low < found.auc < found.auc_high < 0.9
    assert found.tpr_low <= found.tpr <= found.tpr_high
    own = np.repeat(random.normal(0, 3, 20), 10)
    alike = attack(forgotten + own, unseen + own, (people, people))
    by_row = attack(forgotten + own, unseen + own, (np.arange(200), 200 + np.arange(200)))
    assert alike.auc_high - alike.auc_low < by_row.auc_high - by_row.auc_low, "a person stands on both sides"
    alone = attack(forgotten[:10], unseen[:10], (people[:10], people[:10]))
    assert alone.auc_low < alone.auc_high, "one person's rows are drawn one by one"
    assert math.isnan(attack(forgotten[:0], unseen, (people[:0], people)).auc)
