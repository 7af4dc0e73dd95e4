"""A round whose updates are summed under masks: keys, shares, masked parts, and what undoes the masks of their sum.

Who does not answer in time at one of the four is left out from there on; with too few left there is no sum, and the
models stay. Nothing of a round that was broken off is gone on with: it begins again with other masks.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import Message
from numpy.typing import NDArray

from fedrec.errors import FedrecError
from fedrec.protocol import masked_answers as a
from fedrec.protocol import questions as q
from fedrec.protocol.adapters import Model, State, size_of, to_arrays
from fedrec.protocol.record import BadMessage
from fedrec.secure_aggregation import FEWEST
from fedrec.secure_aggregation.agreement import agreed, private_key
from fedrec.secure_aggregation.fixed_point import WEIGHTS, Vector, decoded
from fedrec.secure_aggregation.flat import moved
from fedrec.secure_aggregation.participant import Keys
from fedrec.secure_aggregation.summing import Summing, neighbours
from server.calls import Answered, content_of
from server.collection import Collector
from server.rounds import Entry
from server.spent import spent

_PATIENCE = 600.0  # seconds for what takes a client none


@dataclass
class MaskedRound:
    """
    Attributes:
        models: by client that is asked, the adapters it starts from; the same for all.
        sent: the clients that have to be sent them.
        needed: masked parts to wait for.
        inside: by client in the sum, what it said beside its part.
    """

    collector: Collector
    question: q.Train | q.Unlearn
    models: Mapping[str, Model]
    sent: Collection[str]
    needed: int
    inside: dict[str, a.MaskedAnswer] = field(default_factory=dict)

    def run(self) -> tuple[Model | None, Entry]:
        """What everybody gets next of the shards, none where there is no sum; and what happened."""
        made, fault = None, ""
        try:
            made = self._moved(decoded(self._total()))
        except FedrecError as error:
            fault = f"{error}: the models stay as they were"
        return made, Entry(
            round=self.question.round,
            bytes_up=self.collector.up,
            bytes_down=self.collector.down,
            dropped=self.collector.dropped,
            asked=sorted(self.models),
            participants=[*self.inside],
            epsilon=spent(self.inside.values(), self.question.shards),
            skipped=fault or None,
        )

    def _total(self) -> Vector:
        """The sum; FedrecError where there is none."""
        self.name = f"{self.collector.clients.run.id}/{self.question.round}/{secrets.token_hex(16)}"
        announced = self._ask(
            "keys", {name: q.Advertise(sum=self.name) for name in self.models}, a.KeysAnswer, _check_keys
        )
        if len(announced) < FEWEST:
            raise FedrecError(f"{len(announced)} clients make keys for a sum, {FEWEST} needed")
        keys = {name: Keys(*(bytes.fromhex(each) for each in said.public)) for name, said in announced.items()}
        near = neighbours(sorted(keys), self.name)
        sharing = {
            name: q.Share(sum=self.name, neighbours={each: announced[each].public for each in near[name]})
            for name in keys
        }
        shared = self._ask("shares", sharing, a.SharesAnswer, lambda name, said: _check_boxes(said, near[name]))
        self._train({name: [each for each in near[name] if each in shared] for name in shared})
        enough = max(FEWEST - 1, self.collector.clients.run.config.federation.min_replies)
        if len(self.inside) < enough:
            raise FedrecError(f"{len(self.inside)} good replies, {enough} needed")
        summing = Summing(self.name, near, keys, {*shared})
        parts = {name: said.part for name, said in self.inside.items()}
        return summing.unmasked(parts, self._reveal(near, shared))

    def _train(self, sharers: Mapping[str, Sequence[str]]) -> None:
        question = self.question
        asked: dict[str, q.Question] = {}
        for name, near in sharers.items():
            carried = self.models[name] if name in self.sent else []
            self.collector.down += size_of(to_arrays(carried))
            asked[name] = q.TrainMasked(
                round=question.round, shards=question.shards, adapters=carried, sum=self.name, sharers=tuple(near)
            )
        deadline = self.collector.clients.run.config.federation.deadline
        self.inside = self._ask("update", asked, a.MaskedAnswer, self._check, min(self.needed, len(asked)), deadline)

    def _check(self, name: str, said: a.MaskedAnswer) -> None:
        """BadMessage where a part cannot be one: its numbers say nothing, so there is little that can be seen."""
        run, shards = self.collector.clients, self.question.shards
        if said.round != self.question.round or len(said.examples) != len(shards):
            raise BadMessage("it answers another round, or other shards")
        for shard, rows in zip(shards, said.examples, strict=True):
            if not 0 <= rows <= run.announced[name][shard]:
                raise BadMessage(f"examples {rows} of shard {shard} are more than announced")
            if sum(each[shard] for each in run.announced.values()) > WEIGHTS:
                raise BadMessage(f"shard {shard} has more than {WEIGHTS} rows, too many for a sum under masks")
        length = sum(array.size for state in self.models[name] for array in state.values())
        if said.part.shape != (length,):
            raise BadMessage(f"its masked part has {said.part.size} numbers, not {length}")

    def _reveal(
        self, near: Mapping[str, Sequence[str]], shared: Mapping[str, a.SharesAnswer]
    ) -> dict[str, list[bytes]]:
        """By client that shared its secrets out, the shares of one of them."""
        asked = {}
        for name in self.inside:
            boxes = {each: shared[each].boxes[name] for each in near[name] if each in shared}
            inside = tuple(each for each in boxes if each in self.inside)
            dropped = tuple(each for each in boxes if each not in self.inside)
            asked[name] = q.Reveal(sum=self.name, boxes=boxes, inside=inside, dropped=dropped)
        revealed: dict[str, list[bytes]] = {}
        for said in self._ask("shares of masks", asked, a.RevealAnswer).values():
            for other, share in said.shares.items():
                revealed.setdefault(other, []).append(bytes.fromhex(share))
        return revealed

    def _moved(self, total: NDArray[np.float64]) -> Model:
        """The mean by rows, of each shard that had any."""
        start = next(iter(self.models.values()))
        found: list[State] = []
        low = 0
        for place, state in enumerate(start):
            high = low + sum(array.size for array in state.values())
            rows = sum(said.examples[place] for said in self.inside.values())
            found.append(moved(state, total[low:high] / rows) if rows else state)
            low = high
        return found

    def _ask(
        self,
        what: str,
        questions: Mapping[str, q.Question],
        kind: type[Answered],
        check: Callable[[str, Answered], None] = lambda name, said: None,
        needed: int | None = None,
        deadline: float = _PATIENCE,
    ) -> dict[str, Answered]:
        """What clients answer; who does not, or with what is none, is dropped."""
        good: dict[str, Answered] = {}
        clients = self.collector.clients

        def accept(name: str, message: Message) -> bool:
            try:
                content = content_of(message)
                self.collector.up += size_of(content.arrays)
                said = kind.of(content)
                said.check(name, clients.run.config.shards)
                check(name, said)
            except BadMessage as reason:
                self.collector.drop(name, f"{what}: {reason}")
                return False
            good[name] = said
            return True

        limit = min(deadline, clients.run.config.federation.deadline)
        late = clients.send(questions, accept, len(questions) if needed is None else needed, limit) if questions else []
        for name in late if needed is None or len(good) < needed else ():
            self.collector.drop(name, f"{what}: no reply in {limit:g} s")
        return dict(sorted(good.items()))


def _check_keys(name: str, said: a.KeysAnswer) -> None:
    """BadMessage where others could agree on no mask with it."""
    try:
        for key in said.public[:2]:
            agreed(private_key(), bytes.fromhex(key), "")
    except ValueError:
        raise BadMessage("its keys are none") from None


def _check_boxes(said: a.SharesAnswer, near: Collection[str]) -> None:
    if {*said.boxes} != {*near}:
        raise BadMessage("it shares its secrets with others than its neighbours")
