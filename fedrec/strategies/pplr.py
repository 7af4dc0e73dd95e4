"""PPLR (Zhao et al., arXiv 2402.09959): each client's own adapter, mixed by similarity and heating, from one snapshot.

The mathematics is in `balance`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedrec.protocol.adapters import State
from fedrec.strategies import balance
from fedrec.strategies.strategy import Aggregate, Strategy, Trained


class Pplr(Strategy):
    """PPLR's balance: the share of a peer is its similarity times the heating of the client's loss."""

    words = "each client keeps a model of its own and takes from the others in proportion to their likeness (PPLR)"

    under_noise: ClassVar[Mapping[str, Any]] = {"heating": False}

    similarity: Literal["update", "adapter"] = Field(
        "update", description="cosine of the updates since the shared initial adapter, or of whole adapters (published)"
    )
    heating: bool = Field(True, description="slow the exchange of clients whose loss is high, early on")
    exponent: Literal["intended", "code"] = Field("intended", description="(t+1)/beta, or t + 1/beta as published")
    alpha: float = Field(0.7, gt=0, description="heating of a client that has all the loss: tanh(alpha)")
    beta: float = Field(5.0, gt=0, description="rounds over which the exponent grows by one")
    temperature: float = Field(0.05, gt=0, description="of the softmax over the losses")

    @property
    def beside_noise(self) -> str | None:
        if not self.heating:
            return None
        return "pplr.heating = true weighs clients by training losses without noise; set pplr.heating = false"

    @property
    def beside_sum(self) -> str:
        return (
            "pplr mixes each client's model by the likeness of single updates, which no sum tells; set strategy = "
            "fedavg or fedprox"
        )

    def aggregate(
        self, trained: Sequence[Trained], states: Mapping[str, State], initial: State, round_: int
    ) -> Aggregate:
        new = [each.state for each in trained]
        taught = np.array([each.examples > 0 for each in trained])
        losses = np.array([each.loss for each in trained])
        alike, heat, weights = self._balance(new, taught, losses, initial, round_)
        shared = balance.mix(new, weights, [each.known for each in trained])
        mixed = {each.client: state for each, state in zip(trained, shared, strict=True)}
        return Aggregate(dict(states) | mixed, {"similarity": alike, "heating": heat, "weights": weights})

    def _balance(
        self, states: Sequence[State], taught: NDArray[np.bool_], losses: balance.Matrix, initial: State, round_: int
    ) -> tuple[balance.Matrix, balance.Matrix, balance.Matrix]:
        """Similarity (n, n), heating (n,) and mixing weights (n, n) of one shard.

        A client without rows here has nothing to give: it takes the mean of those that have, and nobody takes from it.
        """
        n = len(states)
        alike, heat, weights = np.eye(n), np.ones(n), np.eye(n)
        if not taught.any():
            return alike, heat, weights
        active = [state for state, learnt in zip(states, taught, strict=True) if learnt]
        inside = np.ix_(taught, taught)
        alike[inside] = balance.similarity(active, initial if self.similarity == "update" else None)
        if self.heating:
            heat[taught] = balance.heating(
                losses[taught], round_ - 1, self.alpha, self.beta, self.temperature, self.exponent
            )
        weights[~taught] = taught / taught.sum()
        weights[inside] = balance.mixing(alike[inside], heat[taught])
        return alike, heat, weights
