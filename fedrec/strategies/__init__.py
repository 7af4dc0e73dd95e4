"""Federated strategies: how clients train, and how what they trained becomes what each gets next.

A strategy is one file: a section of the configuration, with the half that the server does and the half of a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedrec.registry import STRATEGIES

if TYPE_CHECKING:
    from fedrec.config import RunConfig
    from fedrec.strategies.strategy import Strategy


def strategy_of(config: RunConfig) -> Strategy:
    """The strategy of a run, with its settings."""
    return config.section(config.strategy, STRATEGIES.load(config.strategy))


def tells_answers(config: RunConfig) -> bool:
    """Whether clients say how many answers each of their item rows was learnt from, for rows to be averaged by that."""
    items, strategy = config.items, strategy_of(config)
    shared = items.rank > 0 and items.share == "all" and strategy.averages and config.clients.count > 1
    return shared and items.average == "answers" and not config.privacy.active
