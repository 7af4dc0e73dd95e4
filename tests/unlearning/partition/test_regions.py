"""Regions: the public population falls equally, and a point's region is its cheapest centre."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning.partition.clustering import kmeans_centres
from unlearning.partition.regions import fit_regions


@settings(max_examples=12, deadline=None)
@given(st.integers(16, 120), st.integers(1, 16), st.integers(0, 2**32))
def test_public_vectors_fall_equally(p: int, shards: int, seed: int) -> None:
    """Also where K-means alone is far from it: clusters of very unlike size."""
    random = np.random.default_rng(seed)
    public = random.normal(size=(p, 3)) + 4 * (random.random((p, 1)) < 0.1)
    regions = fit_regions(public, shards, 0)
    sizes = np.bincount([regions.of(vector) for vector in public], minlength=shards)
    assert np.ptp(sizes) <= 1


def test_one_region_has_no_bias() -> None:
    regions = fit_regions(np.random.default_rng(0).normal(size=(9, 2)), 1, 0)
    assert regions.bias.tolist() == [0.0]
    assert regions.of(np.array([100.0, 0.0])) == 0


def test_equal_vectors_end_the_fit() -> None:
    assert fit_regions(np.ones((10, 2)), 3, 0).of(np.ones(2)) in range(3)


def test_kmeans_finds_planted_centres_and_never_more_than_vectors() -> None:
    random = np.random.default_rng(0)
    planted = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    vectors = np.repeat(planted, 20, axis=0) + random.normal(0, 0.1, (60, 2))
    found = kmeans_centres(vectors, 3, 0)
    np.testing.assert_allclose(found[np.lexsort(found.round(0).T)], planted, atol=0.2)
    assert kmeans_centres(vectors[:2], 5, 0).shape == (2, 2)
    assert kmeans_centres(vectors[:0], 5, 0).shape == (0, 2)
