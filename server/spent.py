"""What clients tell of the privacy budget: by client and shard, the most that any round heard. None = without bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from typing import Any

from fedrec.config import RunConfig
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.masked_answers import MaskedAnswer
from server.rounds import Entry

Spent = dict[str, dict[str, float | None]]
Told = Mapping[str, Mapping[str, float | None]]


def spent(replies: Iterable[TrainAnswer | MaskedAnswer], shards: Sequence[int]) -> Spent | None:
    """Of a round's replies; None where no budget is told."""
    told = {
        reply.client: {
            str(shard): None if isinf(each) else each for shard, each in zip(shards, reply.epsilon, strict=True)
        }
        for reply in replies
        if reply.epsilon
    }
    return told or None


def together(told: Iterable[Told | None]) -> Spent | None:
    """Over rounds, and retrainings of them: what was spent never grows less."""
    found: Spent = {}
    for each in told:
        for client, shards in (each or {}).items():
            mine = found.setdefault(client, {})
            for shard, value in shards.items():
                before = mine.get(shard, 0.0)
                mine[shard] = None if value is None or before is None else max(value, before)
    return found or None


def promise(config: RunConfig, history: Iterable[Entry]) -> dict[str, Any] | None:
    """What a run's result says of privacy: the settings, and what was spent; None where nothing is promised."""
    if not config.privacy.active:
        return None
    spent = together(entry.epsilon for entry in history)
    return {**config.privacy.model_dump(exclude={"at_once"}), "spent": spent or {}}
