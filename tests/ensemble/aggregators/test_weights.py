"""Weights of some of the shards."""

from __future__ import annotations

import numpy as np
import pytest

from fedrec.config import AggregationConfig
from fedrec.ensemble.aggregators import AGGREGATORS, Aggregator
from fedrec.ensemble.aggregators.weights import restricted
from tests.ensemble.aggregators.world import ROWS, evidence


@pytest.mark.parametrize("aggregator", AGGREGATORS.values(), ids=lambda aggregator: aggregator.name)
def test_the_rest_weigh_against_each_other_as_before_to_the_same_sum(aggregator: Aggregator) -> None:
    found = evidence()
    weigh = aggregator.prepare(found, AggregationConfig(neighbours=5, scale=1.5), 0)
    weights = weigh(ROWS)
    np.testing.assert_allclose(restricted(weigh, (0, 1, 2))(ROWS), weights, atol=1e-12)
    left = restricted(weigh, (0, 2))(ROWS)
    np.testing.assert_allclose(left.sum(axis=1), weights.sum(axis=1))
    np.testing.assert_allclose(left[:, 0] * weights[:, 2], left[:, 1] * weights[:, 0], atol=1e-12)


def test_those_that_weighed_nothing_weigh_the_same() -> None:
    weigh = restricted(lambda vectors: np.tile([0.0, 1.5, 0.0], (len(vectors), 1)), (0, 2))
    np.testing.assert_array_equal(weigh(np.zeros((4, 5), np.float32)), np.full((4, 2), 0.75))
