"""Local training: every client by itself, a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fedrec.protocol.adapters import State
from fedrec.strategies.strategy import Aggregate, Strategy, Trained


class Local(Strategy):
    """Everybody keeps what they trained."""

    words = "each client trains alone and hears nothing of the others (local)"
    averages = False

    @property
    def beside_sum(self) -> str:
        return "each client's adapter stays its own, and nothing is summed; set strategy = fedavg or fedprox"

    def aggregate(
        self, trained: Sequence[Trained], states: Mapping[str, State], initial: State, round_: int
    ) -> Aggregate:
        return Aggregate(dict(states) | {each.client: each.state for each in trained})
