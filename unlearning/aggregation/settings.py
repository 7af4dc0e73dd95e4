"""What an aggregator can be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from fedrec.config import Section, read_settings, validated

ErrorReading = Literal["probability", "absolute", "squared", "logloss"]


class AggregationConfig(Section):
    """How the answers of the shards' adapters are weighted.

    The paper does not state the error (algorithms.md 2.4), so four readings are offered, for a label y and the
    probability p of a like: `probability` 1 - P(y), `absolute` |y - p|, `squared` (y - p)^2, `logloss` -log P(y).
    With a label of 0 or 1 the first two are one number under two names; the last two are proper scores, which do not
    reward an adapter for being too sure.

    Published are tau 1000 and 20 or 100 neighbours: nearly the one best adapter of each row. In made-up worlds of four
    shards (500 or 2,500 validation rows, shards alike or each best near its centre) that lost 0.004 to 0.036 AUC to
    the mean of the shards; the defaults here were as good as it or better, by up to 0.0023.
    """

    error: ErrorReading = Field("squared", description="error of an adapter on a validation row")
    tau: float = Field(10.0, ge=0, allow_inf_nan=False, description="sharpness of the weights; 0 = equal")
    neighbours: int = Field(100, ge=1, description="validation rows that judge the adapters for one row")
    scale: float = Field(1.0, gt=0, allow_inf_nan=False, description="sum of the weights of mixed adapters")
    validation: float = Field(1.0, gt=0, le=1, description="part of the users, by a keyed hash, who judge the adapters")
    temperature: float = Field(0.03, gt=0, description="of the softmax over the cosines to the shards' centres")


def settings_of(settings: Sequence[str]) -> AggregationConfig:
    """Settings from `aggregation.key=value`.

    Raises:
        UsageError: names every wrong key and value at once.
    """
    return validated(_Settings, read_settings(settings)).aggregation


class _Settings(Section):
    aggregation: AggregationConfig = AggregationConfig()
