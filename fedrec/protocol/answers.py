"""What clients answer. All of it is untrusted: a record is checked for its form here, never for whether it is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, Self

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from fedrec.privacy.sharing import SharedScores, from_arrays, to_arrays
from fedrec.protocol.adapters import Model
from fedrec.protocol.links import Links
from fedrec.protocol.record import (
    Auc,
    BadMessage,
    Count,
    Finite,
    Flag,
    Hash,
    LogLikelihood,
    Real,
    Record,
    Text,
    Whole,
    WithAdapters,
)
from fedrec.text import shown


class Answer(Record):
    """What every answer says.

    Attributes:
        client: the name that the client gives itself; empty where a node is nobody.
    """

    client: Text

    def check(self, client: str, shards: int) -> None:
        """Hold it against the run and the client that was asked.

        Args:
            shards: how many the run has.

        Raises:
            BadMessage: it is no answer of this client's about such a run.
        """
        if self.client != client:
            raise BadMessage(f"it says it is {shown(self.client)}")


class InventoryAnswer(Answer):
    """
    Attributes:
        users: how many people's rows are there.
        examples: train rows of each shard.
    """

    reveals = "who is behind the node; counts of people and rows, nobody's name"

    users: Whole
    examples: tuple[Whole, ...]


class Lacks(Answer):
    """What any question is answered with by a client that does not know what it has to.

    Attributes:
        lacks: the facts of the run that it asks for.
    """

    reveals = "who is behind the node, and that it has not heard of the run"

    lacks: tuple[Text, ...]


class Done(Answer):
    """What was asked for is done, and there is nothing to tell."""

    reveals = "nothing"


class TrainAnswer(Answer, WithAdapters):
    """
    Attributes:
        adapters: in each of the shards that were asked for, trained.
        loss: mean training loss in nats per shard; 0 in a shard without rows.
        examples: rows trained on per shard.
    """

    reveals = "adapters that the client's rows are in, as they are; losses and counts of rows"

    round: Whole
    loss: tuple[Finite, ...]
    examples: tuple[Whole, ...]

    @field_validator("adapters")
    @classmethod
    def _some(cls, adapters: Model) -> Model:
        if not adapters:
            raise ValueError("it has no tensors")
        return adapters

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        shards = len(self.adapters)
        for name, values, meant in (("loss", self.loss, "a finite number"), ("examples", self.examples, "an integer")):
            if len(values) < shards:
                raise ValueError(f"{name}/{len(values)} None is not {meant}")
            if len(values) > shards:
                raise ValueError(f"{name} has {len(values)} numbers for {shards} shards")
        return self


class Measures(BaseModel):
    """What was measured on a group of rows: the metrics of the run's task by name, NaN where one cannot be told.

    Attributes:
        examples: rows.
        ranked: people whose rows could be ranked.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Real] = Field(init=False)

    examples: Whole
    ranked: Whole


class EvaluateAnswer(Answer):
    """
    Attributes:
        served: SHA-256 of the model that is served.
        metrics: by group of rows: the client's name, or every client's with central training.
        scores: of those rows, as much as was asked for and the client's policy allows.
    """

    reveals = (
        "the number of test rows, and metrics over all of them; where asked for and allowed, how many scores of each "
        "label lie in each of 4,096 bins, or every row's score and label with a number for its person, which whoever "
        "has the person's id can tell"
    )
    version = 2
    in_arrays = "scores"

    round: Whole
    served: Text
    metrics: dict[Text, Measures]
    scores: SharedScores = None

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return to_arrays(self.scores)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SharedScores:
        return from_arrays(dict(arrays))


class ServeAnswer(Answer):
    """
    Attributes:
        served: the hash of each shard's adapter; empty where none is served.
    """

    reveals = "hashes of adapters"

    served: tuple[Hash, ...]

    def check(self, client: str, shards: int) -> None:
        super().check(client, shards)
        _one_each(self.served, shards)


class LocateAnswer(Answer):
    """
    Attributes:
        rows: how many are selected.
        shards: that learnt from them.
        changed: shards that learnt from other rows than are there now, whatever is selected.
        left: places besides the rows where something of them is found.
        served: the hash of each shard's adapter; empty where none is served.
        data: what the client's rows are known by, which only it could make or guess.
    """

    reveals = (
        "that and how much of the selection is there; shards of other rows now; keyed hash of rows; adapters' hashes"
    )

    rows: Count
    shards: tuple[Count, ...]
    changed: tuple[Count, ...]
    left: Count
    served: tuple[Hash, ...]
    data: Hash

    def check(self, client: str, shards: int) -> None:
        super().check(client, shards)
        _of_run(self.shards, shards)
        _of_run(self.changed, shards)
        _one_each(self.served, shards)
        if self.shards and not self.rows:
            raise BadMessage(f"shard {self.shards[0]} learnt from rows, and it has none of them")


class WithdrawAnswer(Answer):
    """
    Attributes:
        shards: that are still served.
        rows: how many are selected.
    """

    reveals = "how many rows of the selection are there"

    shards: tuple[Count, ...]
    rows: Count

    def check(self, client: str, shards: int) -> None:
        super().check(client, shards)
        _of_run(self.shards, shards)


class EraseAnswer(Answer):
    """
    Attributes:
        rows: deleted.
        waiting: how many erased rows, learned from one by one, wait to be answered when adapters are rehearsed.
    """

    reveals = "how many rows were deleted, and how many of them were learned from one by one"
    version = 2

    rows: Count
    waiting: Count


class RehearseAnswer(Answer):
    """
    Attributes:
        forgotten, unseen: the log-likelihood of each row's answer, of erased rows and of rows never seen.
        before, after: AUC on the same test rows by what was and what will be served; NaN where that cannot be told.
        liked, disliked: how many such rows there are.
    """

    reveals = "log-likelihoods of erased rows and of test rows one by one, without whose they are; two AUCs"

    forgotten: tuple[LogLikelihood, ...]
    unseen: tuple[LogLikelihood, ...]
    before: Auc
    after: Auc
    liked: Count
    disliked: Count

    @model_validator(mode="after")
    def _ranked(self) -> Self:
        if not (isnan(self.before) and isnan(self.after)) and not self.liked * self.disliked:
            raise ValueError("it has an AUC of rows that are not both liked and disliked")
        return self


class ChainAnswer(Answer):
    """
    Attributes:
        head: of the chain after as many erasures as were asked about; empty where there were fewer,
            or where tombstones are not those of the chain.
        links: those that follow.
        serves: whether what is served may be.
    """

    reveals = "ids of requests; heads of the chain; tombstones, sealed under the client's own key"

    head: Text
    links: Links
    serves: Flag


class RepeatAnswer(Answer):
    """
    Attributes:
        rows: deleted again.
    """

    reveals = "how many rows were deleted again"

    rows: Count


def _of_run(numbers: Sequence[int], shards: int) -> None:
    if strange := [number for number in numbers if number >= shards]:
        raise BadMessage(f"shard {shown(strange[0])} is not one of the run's {shards}")
    if len({*numbers}) < len(numbers):
        raise BadMessage("it names a shard twice")


def _one_each(hashes: Sequence[str], shards: int) -> None:
    if len(hashes) != shards:
        raise BadMessage(f"served has {len(hashes)} hashes for {shards} shards")
