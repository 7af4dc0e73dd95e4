"""Of a round's good replies, what counts of each in one shard: in proportion to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedrec.config import RunConfig
from fedrec.protocol.adapters import State, size_of
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.item_precision import NOTHING, Precision
from fedrec.protocol.item_rows import without_answers
from fedrec.strategies import tells_answers
from fedrec.strategies.bounded_rows import bounded
from fedrec.strategies.columns import distance
from fedrec.strategies.strategy import Trained
from server.replies import Limits, check_together


@dataclass(frozen=True)
class Counted:
    """
    Attributes:
        trained: what counts, in the order of the replies.
        wild: by client whose reply does not count, why.
    """

    trained: list[Trained]
    wild: dict[str, str]


def counted(replies: Sequence[TrainAnswer], position: int, states: Mapping[str, State], config: RunConfig) -> Counted:
    """
    Args:
        position: of the shard among those that were asked for.
        states: by client, the adapter that it began with.
    """
    sent = {reply.client: without_answers(reply.adapters[position]) for reply in replies}
    lengths = {client: distance(state, states[client]) for client, (state, _) in sent.items()}
    cut = config.privacy.at_server  # instead: whom others' updates had dropped would be told without noise
    wild = {} if cut else check_together(lengths, config.federation.max_update_ratio)
    good = {client: each for client, each in sent.items() if client not in wild}
    if config.federation.rows == "bounded":
        good = bounded(good)
    prior = config.train.item_prior / (config.clients.count * config.shards)
    told = any(met is not None for _, met in sent.values())  # who tells nothing beside others knows nothing
    trained = [
        Trained(
            client=reply.client,
            state=good[reply.client][0],
            loss=reply.loss[position],
            examples=reply.examples[position],
            known=Precision(good[reply.client][1] or NOTHING, prior) if told else None,
        )
        for reply in replies
        if reply.client in good
    ]
    return Counted(trained, wild)


def limits_of(config: RunConfig, initial: State, items: int) -> Limits:
    """What no honest reply exceeds: a wrong shape is named, a flood is not even read.

    Args:
        initial: the adapter that all begin with; items: that have tokens, 0 where none has.
    """
    size = size_of(initial) + 4 * items * (2 + config.items.rank)  # of each a row, which it is, and of how many
    counts = items > 0 and tells_answers(config)
    return Limits(max_abs=config.federation.max_abs, max_bytes=2 * size * config.shards, items=items, counts=counts)
