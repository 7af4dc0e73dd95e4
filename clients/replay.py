"""What a client would send in a round, computed again with nothing of it kept: for attacks on what is sent."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

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


class _Aside(ClientRun):
    """A client's side of a run that spends nothing: it has a copy of the privacy ledger, which is thrown away.

    The same training draws the same noise from it.
    """

    def __init__(self, store: ClientRun, folder: Path) -> None:
        super().__init__(store.home, store.id)
        self._ledger = folder / store.ledger_path.name
        if store.ledger_path.exists():
            shutil.copyfile(store.ledger_path, self._ledger)

    @property
    def ledger_path(self) -> Path:
        return self._ledger

    def checkpoints(self) -> set[Path]:
        """Of trainings within a round."""
        return {*(self.folder / "training").glob("*")}


def replayed(store: ClientRun, number: int, model: Model, shards: Sequence[int]) -> TrainAnswer:
    """What the client would send in round `number`.

    Args:
        model: the adapters of those shards to start from.
    """
    with TemporaryDirectory() as folder:
        aside = _Aside(store, Path(folder))
        there = aside.checkpoints()
        try:
            return _sent(_Reading(aside), number, model, tuple(shards))
        finally:
            for path in aside.checkpoints() - there:  # of a replay that is stopped
                path.unlink()


def _sent(client: Client, number: int, model: Model, shards: tuple[int, ...]) -> TrainAnswer:
    learner = _Forgetful(client, number, shards)
    own = own_items(client, learner)
    learnt = strategy_of(client.config).train(learner, own.added(model, number - 1) if own else model)
    adapters = own.taken(learnt.model) if own else client.with_answers(learnt)
    return TrainAnswer(client=client.name, round=number, adapters=adapters, loss=learnt.losses, examples=learnt.rows)
