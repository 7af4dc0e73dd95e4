"""Strategies: from the clients' trained adapters of one shard to what each client gets next. Pure.

A strategy sees the good replies of one round, sorted by client, and gives each replying client its next adapter. A
client that did not take part keeps its own, except where one global adapter is everybody's. Shards never meet here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.config import PplrConfig, RunConfig
from fedrec.protocol.adapters import State
from fedrec.strategies import averaging, balance


@dataclass(frozen=True)
class Trained:
    """What a client made of one shard: its adapter, mean loss in nats (0 without rows), and rows trained on."""

    client: str
    state: State
    loss: float
    examples: int


@dataclass(frozen=True)
class Aggregate:
    """Next adapters by client.

    Attributes:
        record: what the strategy has to tell of how it made them; arrays over the n clients that replied: (n,) or
            (n, n).
    """

    states: dict[str, State]
    record: dict[str, balance.Matrix] = field(default_factory=dict)


Strategy = Callable[[Sequence[Trained], Mapping[str, State], State, RunConfig, int], Aggregate]


def own(
    trained: Sequence[Trained], states: Mapping[str, State], initial: State, config: RunConfig, round_: int
) -> Aggregate:
    """Everybody keeps what they trained: local training, and the one client of central training."""
    return Aggregate(dict(states) | {each.client: each.state for each in trained})


def fedavg(
    trained: Sequence[Trained], states: Mapping[str, State], initial: State, config: RunConfig, round_: int
) -> Aggregate:
    """One global adapter, weighted by examples (McMahan et al. 2017); FedProx and Ditto differ on the client only."""
    mean = averaging.fedavg([each.state for each in trained], [each.examples for each in trained])
    return Aggregate(dict.fromkeys(states, mean))


def pplr(
    trained: Sequence[Trained], states: Mapping[str, State], initial: State, config: RunConfig, round_: int
) -> Aggregate:
    """Each client's own adapter, mixed by similarity and heating (PPLR, arXiv 2402.09959), from one snapshot."""
    new = [each.state for each in trained]
    taught = np.array([each.examples > 0 for each in trained])
    losses = np.array([each.loss for each in trained])
    alike, heat, weights = _balance(new, taught, losses, initial, config.pplr, round_)
    mixed = {each.client: state for each, state in zip(trained, balance.mix(new, weights), strict=True)}
    return Aggregate(dict(states) | mixed, {"similarity": alike, "heating": heat, "weights": weights})


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


def among(clients: Sequence[str], counted: Sequence[str], record: Mapping[str, balance.Matrix]) -> dict[str, Any]:
    """A shard's record over all clients that replied: one that did not count there keeps its adapter."""
    inside = [clients.index(client) for client in counted]
    found: dict[str, Any] = {}
    for name, values in record.items():
        whole = np.zeros(len(clients)) if values.ndim == 1 else np.eye(len(clients))
        whole[inside if values.ndim == 1 else np.ix_(inside, inside)] = values
        found[name] = whole.tolist()
    return found
