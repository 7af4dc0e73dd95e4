"""What holds for every aggregator of the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from fedrec.config import AggregationConfig
from fedrec.ensemble.aggregators import AGGREGATORS, Aggregator
from fedrec.ensemble.aggregators.combine import combine
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.errors import FedrecError
from fedrec.metrics import auc
from tests.ensemble.aggregators.world import ROWS, evidence, halves

JUDGING = ("apa-d", "apa-nd", "major-d", "major-nd", "receraser", "grapheraser")
SETTINGS = AggregationConfig(neighbours=5)


def each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "aggregator", [AGGREGATORS[name] for name in names or AGGREGATORS], ids=lambda a: a.name
    )


def weigh(aggregator: Aggregator, found: Judged, settings: AggregationConfig, seed: int) -> NDArray[np.float64]:
    """(n, K) weights of `ROWS`."""
    return aggregator.prepare(found, settings, seed)(ROWS)


def test_the_names_are_the_keys() -> None:
    assert {name: aggregator.name for name, aggregator in AGGREGATORS.items()} == {name: name for name in AGGREGATORS}
    assert {name for name, aggregator in AGGREGATORS.items() if aggregator.learned} == {"receraser", "grapheraser"}


@each()
@pytest.mark.parametrize("shards", [1, 3])
def test_rows_sum_to_the_scale_where_adapters_are_mixed_and_to_one_elsewhere(
    aggregator: Aggregator, shards: int
) -> None:
    weights = weigh(aggregator, evidence(shards=shards), AggregationConfig(neighbours=5, scale=1.5), 0)
    assert weights.shape == (7, shards) and weights.dtype == np.float64
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.5 if aggregator.form in ("ND", "D") else 1.0)


@each()
def test_the_order_of_the_shards_does_not_matter(aggregator: Aggregator) -> None:
    found, order = evidence(), [2, 0, 1]
    weights = weigh(aggregator, found, SETTINGS, 0)
    np.testing.assert_allclose(weigh(aggregator, found.of(order), SETTINGS, 0), weights[:, order], atol=1e-6)


@each("apa-d", "apa-nd", "average-d", "average-nd", "sisa", "sisa-logit", "vote", "receraser", "grapheraser")
def test_adapters_that_answer_alike_weigh_alike(aggregator: Aggregator) -> None:
    found = evidence()
    found = replace(found, scores=np.repeat(found.scores[:, :1], 3, axis=1))
    np.testing.assert_allclose(weigh(aggregator, found, SETTINGS, 0), 1 / 3, atol=1e-9)


@each()
def test_the_same_evidence_gives_the_same_bytes(aggregator: Aggregator) -> None:
    found = evidence()
    assert weigh(aggregator, found, SETTINGS, 3).tobytes() == weigh(aggregator, found, SETTINGS, 3).tobytes()


@each()
def test_only_some_need_validation_rows(aggregator: Aggregator) -> None:
    found = evidence().take(np.zeros(30, bool))
    if aggregator.name in JUDGING:
        with pytest.raises(FedrecError, match=r"^no validation rows .* choose average-nd, or give data.split [^\n]*$"):
            weigh(aggregator, found, SETTINGS, 0)
    else:
        assert np.isfinite(weigh(aggregator, found, SETTINGS, 0)).all()


@each("apa-nd", "major-nd", "semantic-nd", "receraser")
def test_weights_by_row_beat_the_mean_where_each_shard_knows_one_half(aggregator: Aggregator) -> None:
    found, vectors, scores, labels = halves()
    weights = aggregator.prepare(found, AggregationConfig(neighbours=20), 0)(vectors)
    mean = auc(combine(scores, np.ones_like(scores), "logit"), labels)
    assert auc(combine(scores, weights, "logit"), labels) > mean + 0.01


def test_evidence_that_does_not_fit_itself() -> None:
    with pytest.raises(ValueError, match=r"scores is \(30, 2\), not \(30, 3\)"):
        replace(evidence(), scores=np.zeros((30, 2)))
    with pytest.raises(ValueError, match=r"vectors is \(30, 3\), not \(30, 4\)"):
        replace(evidence(), vectors=np.zeros((30, 3), np.float32))


@pytest.mark.parametrize("wrong", [{"tau": -1}, {"tau": np.inf}, {"neighbours": 0}, {"scale": 0}, {"error": "hinge"}])
def test_settings_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AggregationConfig.model_validate(wrong)
