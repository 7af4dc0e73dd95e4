"""A strategy: one adapter for everybody, the median of all, to which a client adds only a part of what it learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from fedrec.protocol.adapters import Model, State
from fedrec.strategies.strategy import Aggregate, Learner, Learnt, Strategy, Trained


class Median(Strategy):
    words = "all clients train one shared model, the median of theirs (median)"

    part: float = Field(0.5, gt=0, le=1, description="part of what a client learnt that it tells")

    def aggregate(
        self, trained: Sequence[Trained], states: Mapping[str, State], initial: State, round_: int
    ) -> Aggregate:
        median = {key: np.median([each.state[key] for each in trained], axis=0).astype(np.float32) for key in initial}
        return Aggregate(dict.fromkeys(states, median))

    def train(self, client: Learner, received: Model) -> Learnt:
        learnt = client.learn(received)
        told = [
            {key: old[key] + np.float32(self.part) * (new[key] - old[key]) for key in new}
            for old, new in zip(received, learnt.model, strict=True)
        ]
        return replace(learnt, model=told)
