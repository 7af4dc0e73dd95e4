"""One client that pushes one item by its row: what the checks of replies let through, and how far the item rises.

The last round is played once more from the models that it published. All clients train honestly; then one of them gives
the row of its target, whose first number is the title's log-odds of a like, a length of its choice, and says that one
of its answers, or all of them, are about that title. The reply is checked and averaged as in any round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.console.progress import working
from fedrec.errors import FedrecError
from fedrec.privacy.attacks.finding import Report
from fedrec.protocol.adapters import ITEMS_A, Model, State
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.item_rows import Items, items_of, told_of, with_answers, with_some, without_answers
from fedrec.protocol.item_rows import counted as counts_of
from fedrec.protocol.record import BadMessage
from fedrec.strategies import strategy_of
from server.attacks.exposure import answering, place, places
from server.attacks.target import encoder, published
from server.counted import counted, limits_of
from server.replies import check
from server.simulated_run import SimulatedRun

_PUSHES = ((2.0, "one"), (2.0, "all"), (20.0, "all"), (100.0, "all"))
_RULES: tuple[Literal["mean", "bounded"], ...] = ("mean", "bounded")
_SAYS = {"one": "said of one answer", "all": "said of all its answers"}
_RESULT = "Asked are other clients' people, after the round; beside it stands the round without the attack."


def row(run: SimulatedRun, attacker: str) -> Report:
    """
    Raises:
        FedrecError: no item rows of several clients are averaged in the run.
    """
    config = run.config
    if why := _nothing_averaged(run):
        raise FedrecError(f"{run.folder}: {why}, so no client can push an item by its row")
    game = _Round(run, attacker)
    targets = {"title that fewest have met": game.rarest, "title that most have met": game.commonest}
    honest = {rows: game.places(game.replies, _with(config, rows), list(targets.values()))[0] for rows in _RULES}
    findings, refused = [], dict[str, None]()
    for number, (name, target) in enumerate(targets.items()):
        for length, says in _PUSHES:
            for rows in _RULES:
                sent = [
                    _pushed(each, target, length, says) if each.client == attacker else each for each in game.replies
                ]
                found, reasons = game.places(sent, _with(config, rows), [target])
                refused |= dict.fromkeys(reasons)
                verdict = "refused" if reasons else "let through" + (", bounded" if rows == "bounded" else "")
                read = f"{name}, row of {length:g} {_SAYS[says]}: {verdict}"
                findings.append(place(read, found[:, 0], float(honest[rows][:, number].mean())))
                if reasons:
                    break
    notes = [f"The attacker is {attacker}. {_RESULT}", *(f"Refused: {reason}." for reason in refused)]
    return Report("row", run.name, run.result.get("adapter_hash"), findings, notes)


def _nothing_averaged(run: SimulatedRun) -> str:
    config = run.config
    if len(run.clients) < 2 or not strategy_of(config).averages:
        return f"strategy {config.strategy} averages nothing"
    if not config.items.rank or config.items.share == "none":
        return "no item rows leave a client"
    if config.privacy.active:
        return "item rows are not learnt in a noised training"
    return "" if config.federation.rounds else "it has no rounds"


@dataclass(frozen=True)
class _Round:
    """The last round, once more.

    Attributes:
        attacker: whose own people are not asked.
    """

    run: SimulatedRun
    attacker: str

    @cached_property
    def start(self) -> dict[str, Model]:
        return published(self.run)

    @cached_property
    def replies(self) -> list[TrainAnswer]:
        """What the clients send, sorted by client."""
        found = []
        for name in sorted(self.run.clients):
            with working(f"{name} trains once more"):
                found.append(self.run.client(name).replayed(self.run.config.federation.rounds, self.start[name]))
        return found

    @cached_property
    def _clients(self) -> NDArray[np.intp]:
        """(n,) how many clients have met each item in their first shard."""
        found = [_met(reply.adapters[0]) for reply in self.replies]
        return np.bincount(np.concatenate(found), minlength=len(self.run.catalogue))

    @property
    def rarest(self) -> int:
        return int(self._clients.argmin())

    @property
    def commonest(self) -> int:
        """Of those, the one whose rows are the lowest."""
        items = np.flatnonzero(self._clients == self._clients.max()).astype(np.int32)
        effect = sum(told_of(items, items_of(r.adapters[0]), r.adapters[0][ITEMS_A][:, :1])[:, 0] for r in self.replies)
        return int(items[np.argmin(effect)])

    def places(
        self, replies: Sequence[TrainAnswer], config: RunConfig, targets: Sequence[int]
    ) -> tuple[NDArray[np.float64], list[str]]:
        """(P, T) where the targets stand after the round, and why replies do not count."""
        models, reasons = self._after(replies, config)
        base, reads = self.run.client(self.run.clients[0]).base, encoder(self.run)
        found = places(
            self.run, reads, lambda name: answering(self.run, base, reads.readout, models[name]), targets, self.attacker
        )
        return found, reasons

    def _after(self, replies: Sequence[TrainAnswer], config: RunConfig) -> tuple[dict[str, Model], list[str]]:
        """Every client's next model, and why replies do not count."""
        run, number, good, reasons = self.run, config.federation.rounds, list[TrainAnswer](), list[str]()
        limits = limits_of(config, run.initial, len(run.catalogue))
        for reply, honest in zip(replies, self.replies, strict=True):
            try:
                good.append(
                    check(
                        reply, client=honest.client, round=number, expected=run.initial,
                        announced=honest.examples, limits=limits,
                    )
                )  # fmt: skip
            except BadMessage as error:
                reasons.append(str(error))
        models: dict[str, list[State]] = {name: [] for name in self.start}
        for shard in range(config.shards):
            states: Mapping[str, State] = {name: model[shard] for name, model in self.start.items()}
            found = counted(good, shard, states, config)
            reasons += found.wild.values()
            after = strategy_of(config).aggregate(found.trained, states, run.initial, number).states
            for name, state in after.items():
                models[name].append(state)
        return dict(models), reasons


def _met(state: State) -> Items:
    """The items that a client says that it has answers about; of one that does not say, those it has rows of."""
    bare, answers = without_answers(state)
    return items_of(bare) if answers is None else answers[0][answers[1] > 0]


def _with(config: RunConfig, rows: Literal["mean", "bounded"]) -> RunConfig:
    return config.model_copy(update={"federation": config.federation.model_copy(update={"rows": rows})})


def _pushed(reply: TrainAnswer, target: int, length: float, says: str) -> TrainAnswer:
    """The reply with another row of one item, in every shard."""
    return reply.model_copy(update={"adapters": [_with_row(state, target, length, says) for state in reply.adapters]})


def _with_row(state: State, target: int, length: float, says: str) -> State:
    bare, answers = without_answers(state)
    item = np.array([target], np.int32)
    fresh = np.zeros((1, bare[ITEMS_A].shape[1]), np.float32)
    fresh[0, 0] = length
    pushed = with_some(bare, item, fresh)
    if answers is None:
        return pushed
    items, place = items_of(pushed), int(np.searchsorted(items_of(pushed), target))
    told, total = counts_of(answers, items).copy(), int(answers[1].sum())
    if says == "all":
        told[:] = 0
        told[place] = total
    elif not told[place]:
        told[told.argmax()] -= 1
        told[place] = 1
    return with_answers(pushed, (items, told))
