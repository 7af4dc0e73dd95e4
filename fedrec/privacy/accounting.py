"""What noised steps cost, by Opacus' accountants of the Poisson-subsampled Gaussian mechanism.

    rdp   Renyi differential privacy (Mironov 2017; Mironov et al. 2019)
    prv   numerical composition of privacy loss variables (Gopi et al. 2021)

Neighbours differ by one person, one row, or one client's update, that is there or not. Steps of several trainings of
the same rows, and a server's releases of a shard, add up.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache

from fedrec.errors import UsageError
from fedrec.privacy_settings import PrivacyConfig

Steps = tuple[float, float, int]
"""Noise multiplier, sample rate, and how many such steps."""


def epsilon_of(taken: Sequence[Steps], privacy: PrivacyConfig) -> float:
    """What such steps have spent at the configured delta; infinite where one of them had no noise."""
    merged: dict[tuple[float, float], int] = {}
    for noise, rate, count in taken:
        if count:
            merged[noise, rate] = merged.get((noise, rate), 0) + count
    return _epsilon(tuple(sorted(merged.items())), privacy.delta, privacy.accountant)


def steps_of(privacy: PrivacyConfig, epochs: int) -> int:
    """Noised steps of a round: as many as have everybody in `epochs` of them, on average; of a server one."""
    if privacy.at_server:
        return 1
    return math.ceil(epochs / privacy.sample_rate)


def noise_of(privacy: PrivacyConfig, steps: int) -> float:
    """The noise multiplier: as configured, or what so many steps, and those of the retrainings, need for the budget.

    Raises:
        UsageError: no noise is enough.
    """
    if privacy.noise is not None:
        return privacy.noise
    assert privacy.epsilon is not None
    whole = max(1, steps) * (1 + privacy.retrainings)
    return _noise(privacy.epsilon, privacy.delta, privacy.sample_rate, whole, privacy.accountant)


def affordable(taken: Sequence[Steps], noise: float, wanted: int, privacy: PrivacyConfig) -> int:
    """How many of so many further steps the budget has room for."""
    budget = privacy.epsilon
    if budget is None:
        return wanted

    def fits(steps: int) -> bool:
        return epsilon_of([*taken, (noise, privacy.sample_rate, steps)], privacy) <= budget

    if fits(wanted):
        return wanted
    low, high = 0, wanted  # low fits, or is nothing; high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@lru_cache(maxsize=1024)
def _epsilon(taken: tuple[tuple[tuple[float, float], int], ...], delta: float, accountant: str) -> float:
    from opacus.accountants import create_accountant  # takes seconds

    if not taken:
        return 0.0
    if any(noise == 0 for (noise, _), _ in taken):
        return math.inf
    asked = create_accountant(accountant)
    asked.history = [(noise, rate, steps) for (noise, rate), steps in taken]
    with warnings.catch_warnings(action="ignore"):  # that the best order is the largest one: the bound holds
        return float(asked.get_epsilon(delta=delta))


@lru_cache(maxsize=64)
def _noise(epsilon: float, delta: float, rate: float, steps: int, accountant: str) -> float:
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with warnings.catch_warnings(action="ignore"):
            return float(
                get_noise_multiplier(
                    target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant=accountant,
                    epsilon_tolerance=0.01 * epsilon,
                )
            )  # fmt: skip
    except ValueError:
        raise UsageError(
            f"privacy.epsilon = {epsilon:g} is too small for {steps} steps: raise it, or take fewer"
        ) from None
