"""Whose test rows are scored: everybody's, or those of a sample of the people, where there are many.

A person is in the sample or not by a keyed hash of their id alone, so every strategy, every round and every client
measure the same people, and nobody moves in or out when somebody goes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.config import EvaluateConfig
from fedrec.data.dataset import TEST, Interactions
from fedrec.data.user_hash import drawn


def share_of_people(rows: Interactions, config: EvaluateConfig) -> float:
    """The part of the people with test rows that `config.users` of them are; 1 where all are measured."""
    there = len(np.unique(rows.user[rows.split == TEST]))
    return min(1.0, config.users / there) if config.users and there else 1.0


def evaluated(rows: Interactions, share: float, seed: int) -> NDArray[np.bool_]:
    """(n,) the test rows of a share of the people."""
    test: NDArray[np.bool_] = rows.split == TEST
    return test if share >= 1 else test & drawn(rows, share, seed, "evaluate")


def ranked_at_split(config: EvaluateConfig, last: bool) -> bool:
    """Whether a measurement, which is the last or not, has scores from each person's history at the split too."""
    return config.at_split == "always" or (config.at_split == "last" and last)


def share_in_round(number: int, rounds: int, share: float, config: EvaluateConfig) -> float:
    """The share to measure in round `number` of `rounds`; 0 in those between measurements."""
    if number == rounds:
        return 1.0 if config.last == "everybody" else share
    return share if number % config.every == 0 else 0.0
