"""Membership inference: its interval covers the truth, and few rows decide nothing."""

import math

import numpy as np

from fedrec.privacy.attacks.membership import membership_auc


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
