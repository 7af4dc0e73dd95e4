"""What a round tells of how its adapters were made, over all clients that replied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fedrec.protocol.answers import TrainAnswer
from fedrec.strategies import balance

_MANY = 100  # clients


def among(clients: Sequence[str], counted: Sequence[str], record: Mapping[str, balance.Matrix]) -> dict[str, Any]:
    """A shard's record over all clients that replied: one that did not count there keeps its adapter.

    Of many clients no matrix is recorded: it grows with their square, in every round.
    """
    place = {client: index for index, client in enumerate(clients)}
    inside = [place[client] for client in counted]
    found: dict[str, Any] = {}
    for name, values in record.items():
        if values.ndim > 1 and len(clients) > _MANY:
            continue
        whole = np.zeros(len(clients)) if values.ndim == 1 else np.eye(len(clients))
        whole[inside if values.ndim == 1 else np.ix_(inside, inside)] = values
        found[name] = whole.tolist()
    return found


def mean_loss(reply: TrainAnswer) -> float | None:
    """Over all rows of the shards that were trained, nats; None without rows, and where no layers learnt."""
    rows = sum(reply.examples) if any(reply.loss) else 0
    return sum(x * n for x, n in zip(reply.loss, reply.examples, strict=True)) / rows if rows else None
