"""Where a federation can forget approximately, and what that is called."""

from __future__ import annotations

from fedrec.config import RunConfig
from fedrec.strategies import strategy_of
from server.integrity.replay import own_item_rows
from unlearning.way import UNLEARNED

METHOD = f"{UNLEARNED}federated-e2urec"


def cannot(config: RunConfig) -> str:
    """Why nothing can be forgotten approximately in a run; empty where it can."""
    if config.shards > 1:
        return f"a run of {config.shards} shards trains the touched ones again, of which each is a part"
    if config.train.step != "plain":
        return f"it was trained by {config.train.step} steps, and what these promise does not hold of such an answer"
    if config.privacy.active:
        return "it was trained under a privacy budget, which such an answer would not keep to"
    if config.federation.secure_aggregation:
        return "its updates are summed under masks, and what a client forgets would be sent as it is"
    if config.split.head:
        return "the server computes a part of its layers, and would read what is to be forgotten"
    if own_item_rows(config):
        return "item rows that never leave a client went with what it served"
    alike = config.items.rank and config.items.average == "all" and strategy_of(config).averages
    if alike and config.clients.count > 1:
        return "item rows are averaged alike, so nobody can tell whom each was taught by"
    return ""
