"""A client in one round: what a strategy's half there trains with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.numpy import load_file, save_file

from clients.private_learning import train_privately
from clients.split_layers import train_by
from fedrec.console.progress import bar
from fedrec.files import replacing, storing
from fedrec.models.adapter import to_state
from fedrec.protocol.adapters import ROWS, Model, from_arrays, to_arrays
from fedrec.protocol.item_precision import Known, without_known
from fedrec.protocol.item_rows import ItemAnswers
from fedrec.protocol.layers import Ticket
from fedrec.strategies.strategy import Learnt
from fedrec.training.item_mean import from_mean, towards_all
from fedrec.training.item_start import answers_by_item, with_item_rows
from fedrec.training.loop import Outcome
from fedrec.training.step import Learning

if TYPE_CHECKING:
    from clients.client import Client


@dataclass(frozen=True)
class Learner:
    """A client in one round, as a strategy's half has to do with it; the shards that were asked for."""

    client: Client
    round: int
    shards: tuple[int, ...]
    layers: Ticket | None = None

    def learn(self, start: Model, *, anchor: Model | None = None, pull: float = 0.0, role: str = "") -> Learnt:
        client, config, number = self.client, self.client.config, self.round
        prefix = f"{role}-" if role else ""
        trained: Model = []
        losses: list[float] = []
        counts: list[int] = []
        answers: list[ItemAnswers | None] = []
        lessons = client.lessons(self.shards, number, role)
        for shard, lesson, state, centre in zip(self.shards, lessons, start, anchor or start, strict=True):
            (begin, known), (towards, _) = without_known(state), without_known(centre)
            if lesson.clients == 1:
                known = None  # nobody else's rows come to it
            learning = Learning(
                client.base.model, config.lora, to_state(begin), lesson, config.train, pull, to_state(towards)
            )
            checkpoint = client.store.folder / "training" / f"{prefix}shard-{shard}.pt"
            client.note_use(shard, number)
            where = f" shard {shard}" if config.shards > 1 else ""
            with bar(f"{client.name} round {number}{where}") as tick:
                if config.privacy.at_clients:
                    outcome = train_privately(client, shard, learning, checkpoint, tick)
                else:
                    outcome = self._trained(learning, known, checkpoint, role, tick)
            checkpoint.unlink(missing_ok=True)
            trained.append({name: tensor.numpy() for name, tensor in outcome.state.items()})
            losses.append(outcome.loss)
            counts.append(outcome.rows // config.train.epochs)
            answers.append(None if config.privacy.active else answers_by_item(learning))
        return Learnt(trained, tuple(losses), tuple(counts), tuple(answers))

    def _trained(
        self, learning: Learning, known: Known | None, checkpoint: Path, role: str, on_step: Callable[[int, int], None]
    ) -> Outcome:
        """What a lesson makes of an adapter, as the client sends it."""
        client, lesson, config = self.client, learning.lesson, self.client.config
        begun = _begun(learning, known)
        if self.round == 1 and client.titles_first and not role and begun.own is not None:
            return Outcome(begun.start, 0.0, config.train.epochs * len(begun.labels(lesson.windows)), 0)
        outcome = train_by(config.split, self.layers, begun, checkpoint, on_step)
        if known is None:
            return outcome
        return replace(outcome, state=towards_all(begun, outcome.state, config.federation.fraction))

    def keep(self, role: str, model: Model) -> None:
        with replacing(self._path(role, self.round)) as partial, storing(partial):
            save_file(to_arrays(model), partial)
        for path in self.client.store.folder.glob(f"{role}-*.safetensors"):
            if path < self._path(role, self.round - 1):  # a resumed round starts from the one before
                path.unlink()

    def kept(self, role: str, upto: int) -> Model | None:
        found = sorted(self.client.store.folder.glob(f"{role}-*.safetensors"))
        found = [path for path in found if path <= self._path(role, upto)]
        return from_arrays(load_file(found[-1])) if found else None

    def _path(self, role: str, number: int) -> Path:
        return self.client.store.folder / f"{role}-{number:04d}.safetensors"


def _begun(learning: Learning, known: Known | None) -> Learning:
    """The learning with its items' rows as they are to begin; in a mean of unknown precision they stay."""
    if known is not None:
        return from_mean(learning, known)
    fresh = learning.lesson.clients == 1 or not len(learning.start.get(ROWS, ()))
    return with_item_rows(learning) if fresh else learning
