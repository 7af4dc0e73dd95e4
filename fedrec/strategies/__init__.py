"""Federated strategies: how clients train, and how what they trained becomes what each gets next.

A strategy is one file: a section of the configuration, with the half that the server does and the half of a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedrec.choices import Choices

if TYPE_CHECKING:
    from fedrec.config import RunConfig
    from fedrec.strategies.strategy import Strategy

STRATEGIES: Choices[type[Strategy]] = Choices(
    {
        "pplr": "fedrec.strategies.pplr:Pplr",
        "fedavg": "fedrec.strategies.fedavg:FedAvg",
        "fedprox": "fedrec.strategies.fedprox:FedProx",
        "ditto": "fedrec.strategies.ditto:Ditto",
        "local": "fedrec.strategies.local:Local",
        "central": "fedrec.strategies.central:Central",
    }
)


def strategy_of(config: RunConfig) -> Strategy:
    """The strategy of a run, with its settings."""
    return config.section(config.strategy, STRATEGIES.load(config.strategy))
