"""What a client would send in a round, computed again with nothing of it kept: for attacks on what is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.client import Client
from clients.client_run import ClientRun
from clients.learner import Learner
from clients.own_items import own_items
from fedrec.protocol.adapters import Model
from fedrec.protocol.answers import TrainAnswer
from fedrec.strategies import strategy_of


class _Reading(Client):
    """A client that notes nothing down."""

    def note_use(self, shard: int, number: int) -> None:
        """It has noted the rows before, when it read them in that round."""


@dataclass(frozen=True)
class _Forgetful(Learner):
    def keep(self, role: str, model: Model) -> None:
        """Its home has what it kept in that round."""


def _checkpoints(store: ClientRun) -> Iterator[Path]:
    return (store.folder / "training").glob("*")


def replayed(store: ClientRun, number: int, model: Model, shards: Sequence[int]) -> TrainAnswer:
    """What the client would send in round `number`.

    Args:
        model: the adapters of those shards to start from.
    """
    client = _Reading(store)
    learner = _Forgetful(client, number, tuple(shards))
    own = own_items(client, learner)
    there = {*_checkpoints(store)}
    try:
        learnt = strategy_of(client.config).train(learner, own.added(model, number - 1) if own else model)
    finally:
        for path in {*_checkpoints(store)} - there:  # of a replay that is stopped
            path.unlink()
    adapters = own.taken(learnt.model) if own else client.with_answers(learnt)
    return TrainAnswer(client=client.name, round=number, adapters=adapters, loss=learnt.losses, examples=learnt.rows)
