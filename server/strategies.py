"""Strategies: from the clients' trained models to what each client gets next. Pure; shard by shard.

A strategy sees the good replies of one round, sorted by client, and gives each replying client its next model. A client
that did not take part keeps its model, except where one global model is everybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.config import PplrConfig, RunConfig
from fedrec.messages import Model, State
from server import averaging, balance
from server.replies import Reply


@dataclass(frozen=True)
class Aggregate:
    """Next models by client, and what the strategy has to tell of how it made them (one entry a shard)."""

    models: dict[str, Model]
    record: dict[str, list[Any]] = field(default_factory=dict)


Strategy = Callable[[Sequence[Reply], Mapping[str, Model], State, RunConfig, int], Aggregate]


def own(
    replies: Sequence[Reply], models: Mapping[str, Model], initial: State, config: RunConfig, round_: int
) -> Aggregate:
    """Everybody keeps what they trained: local training, and the one client of central training."""
    return Aggregate(dict(models) | {reply.client: reply.shards for reply in replies})


def fedavg(
    replies: Sequence[Reply], models: Mapping[str, Model], initial: State, config: RunConfig, round_: int
) -> Aggregate:
    """One global model, weighted by examples (McMahan et al. 2017); FedProx and Ditto differ on the client only."""
    shards = range(config.shards)
    mean = [averaging.fedavg([r.shards[s] for r in replies], [r.examples[s] for r in replies]) for s in shards]
    return Aggregate(dict.fromkeys(models, mean))


def pplr(
    replies: Sequence[Reply], models: Mapping[str, Model], initial: State, config: RunConfig, round_: int
) -> Aggregate:
    """Each client's own model, mixed by similarity and heating (PPLR, arXiv 2402.09959), from one snapshot."""
    mixed: dict[str, Model] = {reply.client: [] for reply in replies}
    record: dict[str, list[Any]] = {"similarity": [], "heating": [], "weights": []}
    for shard in range(config.shards):
        states = [reply.shards[shard] for reply in replies]
        rows = np.array([reply.examples[shard] for reply in replies])
        losses = np.array([reply.loss[shard] for reply in replies])
        alike, heat, weights = _balance(states, rows > 0, losses, initial, config.pplr, round_)
        for reply, state in zip(replies, balance.mix(states, weights), strict=True):
            mixed[reply.client].append(state)
        record["similarity"].append(alike.tolist())
        record["heating"].append(heat.tolist())
        record["weights"].append(weights.tolist())
    return Aggregate(dict(models) | mixed, record)


def _balance(
    states: Sequence[State],
    taught: NDArray[np.bool_],
    losses: balance.Matrix,
    initial: State,
    config: PplrConfig,
    round_: int,
) -> tuple[balance.Matrix, balance.Matrix, balance.Matrix]:
    """Similarity (n, n), heating (n,) and mixing weights (n, n) of one shard.

    A client without rows here has nothing to give: it takes the mean of those that have, and nobody takes from it.
    """
    n = len(states)
    alike, heat, weights = np.eye(n), np.ones(n), np.eye(n)
    if not taught.any():
        return alike, heat, weights
    vectors = np.stack([balance.flatten(state) for state, active in zip(states, taught, strict=True) if active])
    if config.similarity == "update":
        vectors = vectors - balance.flatten(initial)
    inside = np.ix_(taught, taught)
    alike[inside] = balance.similarity(vectors)
    if config.heating:
        heat[taught] = balance.heating(
            losses[taught], round_ - 1, config.alpha, config.beta, config.temperature, config.exponent
        )
    weights[~taught] = taught / taught.sum()
    weights[inside] = balance.mixing(alike[inside], heat[taught])
    return alike, heat, weights


STRATEGIES: dict[str, Strategy] = {
    "pplr": pplr,
    "fedavg": fedavg,
    "fedprox": fedavg,
    "ditto": fedavg,
    "local": own,
    "central": own,
}
