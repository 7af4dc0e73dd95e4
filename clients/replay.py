"""What a client would send in a round, computed again with nothing of it kept: for attacks on what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from clients.client import Client
from clients.client_run import ClientRun
from clients.learner import Learner
from clients.own_items import own_items
from fedrec.config import RunConfig
from fedrec.protocol.adapters import Model
from fedrec.strategies import strategy_of


class _Reading(Client):
    """A client that notes nothing down."""

    @cached_property
    def config(self) -> RunConfig:
        train = super().config.train
        return super().config.model_copy(update={"train": train.model_copy(update={"checkpoint_seconds": 1e9})})

    def note_use(self, shard: int, number: int) -> None:
        """It has noted the rows before, when it read them in that round."""


@dataclass(frozen=True)
class _Forgetful(Learner):
    def keep(self, role: str, model: Model) -> None:
        """Its home has what it kept in that round."""


def replayed(store: ClientRun, number: int, model: Model, shards: Sequence[int]) -> Model:
    """The adapters that the client would send in round `number`, with what stands beside them.

    Args:
        model: the adapters of those shards to start from.
    """
    client = _Reading(store)
    learner = _Forgetful(client, number, tuple(shards))
    own = own_items(client, learner)
    learnt = strategy_of(client.config).train(learner, own.added(model, number - 1) if own else model)
    return own.taken(learnt.model) if own else client.with_answers(learnt)
