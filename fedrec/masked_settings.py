"""What a run needs whose clients' updates are summed under masks (`federation.secure_aggregation`).

What cannot be done on a sum alone is refused here, with the reason; what was left open is set so that it can.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fedrec.registry import STRATEGIES
from fedrec.secure_aggregation import FEWEST

if TYPE_CHECKING:
    from fedrec.config import RunConfig


def completed(tree: dict[str, Any]) -> dict[str, Any]:
    """Plain data of a configuration, with what was left open as sums under masks need it."""
    federation, items = tree.get("federation"), tree.get("items", {})
    if isinstance(federation, dict) and federation.get("secure_aggregation") is True and isinstance(items, dict):
        return {**tree, "items": {"share": "none", **items}}
    return tree


def check(config: RunConfig) -> None:
    """
    Raises:
        ValueError: something needs single updates, or would tell them.
    """
    if config.federation.secure_aggregation and (fault := _in_the_clear(config)):
        raise ValueError(f"federation.secure_aggregation = true cannot hold: {fault}")


def _in_the_clear(config: RunConfig) -> str | None:
    for name in (config.strategy, *config.baselines):
        if fault := config.section(name, STRATEGIES.load(name)).beside_sum:
            return fault
    if config.privacy.at_server:
        return "the server cannot cut what it does not see; set privacy.unit = person or row (noise at each client)"
    if config.items.rank and config.items.share == "all":
        return (
            "which item rows a client sends says which titles its people met, and masks over the whole catalogue cost "
            "as much as it has titles; set items.share = none (they stay with the client)"
        )
    if config.split.head:
        return "the layer service trains each client's middle layers, and so has their updates; set split.head = 0"
    listed = config.clients.by != "column" and config.data.format != "homes"
    if listed and (asked := math.floor(config.clients.count * config.federation.fraction + 0.5)) < FEWEST:
        return f"{asked} clients in a round are too few to hide one in their sum; have {FEWEST} at least"
    return None
