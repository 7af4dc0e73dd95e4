"""RecEraser's attention and GraphEraser's LBAggr."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from fedrec.ensemble.aggregators.combine import combine
from fedrec.ensemble.aggregators.grapheraser import lb_aggr, optimal_weights
from fedrec.ensemble.aggregators.receraser import attention
from fedrec.metrics import auc
from tests.ensemble.aggregators.world import ROWS, evidence, halves


def test_lb_aggr_prefers_the_better_shard_and_is_one_set_for_all_rows() -> None:
    found = evidence(valid=200)
    good = np.where(found.labels == 1, 0.8, 0.2)
    columns = np.column_stack([found.scores[:, 0], good, 1 - good])
    weights = lb_aggr(replace(found, scores=columns))(ROWS)
    assert weights[0, 1] > weights[0, 0] > weights[0, 2]
    np.testing.assert_array_equal(weights, np.tile(weights[0], (7, 1)))


def test_lb_aggr_is_the_optimum_over_directions() -> None:
    found = evidence(5, valid=60)
    likelihood = np.where(found.labels[:, None] == 1, found.scores, 1 - found.scores)

    def of_direction(
        w: NDArray[np.float64],
    ) -> float:  # ||a|| taken out: CE(sum_k w_k P_k) + log ||w||, the same at any scale
        return float(np.log(np.linalg.norm(w)) - np.log(likelihood @ w).mean())

    free = minimize(lambda z: of_direction(np.exp(z)), np.zeros(3), method="Nelder-Mead", options={"fatol": 1e-12}).x
    found_weights = optimal_weights(found.scores, found.labels)
    np.testing.assert_allclose(found_weights, np.exp(free) / np.exp(free).sum(), atol=1e-3)


def test_lb_aggr_survives_a_certain_error() -> None:
    scores = np.array([[1.0, 0.5], [1.0, 0.5]])
    weights = optimal_weights(scores, np.array([0, 1], np.int8))
    assert np.isfinite(weights).all()


def test_attention_goes_to_the_shard_that_knows_the_half() -> None:
    found, vectors, scores, labels = halves(1)
    weights = attention(found, 0)(vectors)
    left = vectors[:, 0] < 0
    assert weights[left, 0].mean() > 0.5 > weights[~left, 0].mean()
    alone = [auc(scores[:, k], labels) for k in range(2)]
    assert auc(combine(scores, weights, "logit"), labels) > max(alone)


def test_attention_depends_on_the_seed_alone_not_on_threads_or_the_global_generator() -> None:
    found, before = evidence(), torch.get_num_threads()
    weights = attention(found, 1)(ROWS)
    torch.manual_seed(99)
    torch.set_num_threads(2)
    try:
        assert attention(found, 1)(ROWS).tobytes() == weights.tobytes()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert attention(found, 2)(ROWS).tobytes() != weights.tobytes()


def test_attention_without_spread_in_the_vectors_is_finite() -> None:
    found = evidence()
    same = replace(found, vectors=np.ones_like(found.vectors))
    assert np.isfinite(attention(same, 0)(ROWS)).all()
