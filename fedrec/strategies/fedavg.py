"""FedAvg (McMahan et al. 2017): one global adapter, the mean of all weighted by their examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fedrec.protocol.adapters import State
from fedrec.strategies.averaging import weighted_mean
from fedrec.strategies.strategy import Aggregate, Strategy, Trained


class FedAvg(Strategy):
    """Clients train as they are asked to; the server averages."""

    words = "all clients train one shared model, averaged after every round (FedAvg)"

    @property
    def beside_sum(self) -> str | None:
        return None

    def aggregate(
        self, trained: Sequence[Trained], states: Mapping[str, State], initial: State, round_: int
    ) -> Aggregate:
        mean = weighted_mean(
            [each.state for each in trained], [each.examples for each in trained], [each.known for each in trained]
        )
        return Aggregate(dict.fromkeys(states, mean))
