"""Which requests are carried out together, so that each shard is trained again once for all who touch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from unlearning.requests.request import Request
from unlearning.requests.states import State

BATCHED = (State.PLANNED, State.QUARANTINED, State.ERASING, State.VERIFYING, State.PUBLISHED)
"""From the plan until the certificate, so that a batch that was broken off comes together again."""


@dataclass(frozen=True)
class Batch:
    """Requests to carry out together.

    Attributes:
        requests: in the ledger's order, the first due first.
        shards: every shard that one of them touches, ascending; no other batch has any of them.
    """

    requests: tuple[Request, ...]
    shards: tuple[int, ...]


def into_batches(requests: Sequence[Request]) -> list[Batch]:
    """Requests that share a shard, directly or through others, in one batch; all in the order given."""
    groups: list[tuple[list[Request], set[int]]] = []  # with shards in common with no other
    for request in requests:
        members, shards = [request], set(request.shards or ())
        apart = []
        for group in groups:
            if shards.isdisjoint(group[1]):
                apart.append(group)
            else:
                members, shards = [*members, *group[0]], shards | group[1]
        groups = [*apart, (members, shards)]
    order = {request.id: number for number, request in enumerate(requests)}
    batches = [
        Batch(tuple(sorted(members, key=lambda request: order[request.id])), tuple(sorted(shards)))
        for members, shards in groups
    ]
    return sorted(batches, key=lambda batch: order[batch.requests[0].id])


def is_due(batch: Batch, window: float, now: datetime) -> bool:
    """Whether its first request has waited `window` hours for others."""
    return now >= min(request.received_at for request in batch.requests) + timedelta(hours=window)
