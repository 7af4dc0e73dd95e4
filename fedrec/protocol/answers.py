"""What clients answer. All of it is untrusted: a record is checked for its form here, never for whether it is true."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from fedrec.protocol.adapters import Model
from fedrec.protocol.links import Links
from fedrec.protocol.record import Finite, Flag, Real, Record, Text, Whole, WithAdapters


class Answer(Record):
    """What every answer says.

    Attributes:
        client: the name that the client gives itself; empty where a node is nobody.
    """

    client: Text


class InventoryAnswer(Answer):
    """
    Attributes:
        users: how many people's rows are there.
        examples: train rows of each shard.
    """

    reveals = "who is behind the node; counts of people and rows, nobody's name"

    users: Whole
    examples: tuple[Whole, ...]


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
    """What was measured on a group of rows; NaN where it cannot be told."""

    model_config = ConfigDict(frozen=True)

    examples: Whole
    auc: Real
    uauc: Real
    logloss: Real


class EvaluateAnswer(Answer):
    """
    Attributes:
        served: SHA-256 of the model that is served.
        metrics: by group of rows: the client's name, or every client's with central training.
    """

    reveals = "the number of test rows, and metrics over all of them"

    round: Whole
    served: Text
    metrics: dict[Text, Measures]


class ServeAnswer(Answer):
    """
    Attributes:
        served: the hash of each shard's adapter; empty where none is served.
    """

    reveals = "hashes of adapters"

    served: tuple[Text, ...]


class LocateAnswer(Answer):
    """
    Attributes:
        rows: how many are selected.
        shards: that learnt from them.
        left: places besides the rows where something of them is found.
        served: the hash of each shard's adapter; empty where none is served.
        data: what the client's rows are known by, which only it could make or guess.
    """

    reveals = "that and how much of the selection is there; a keyed hash of the rows; hashes of adapters"

    rows: Whole
    shards: tuple[Whole, ...]
    left: Whole
    served: tuple[Text, ...]
    data: Text


class WithdrawAnswer(Answer):
    """
    Attributes:
        shards: that are still served.
        rows: how many are selected.
    """

    reveals = "how many rows of the selection are there"

    shards: tuple[Whole, ...]
    rows: Whole


class EraseAnswer(Answer):
    """
    Attributes:
        rows: deleted.
    """

    reveals = "how many rows were deleted"

    rows: Whole


class RehearseAnswer(Answer):
    """
    Attributes:
        forgotten, unseen: the log-likelihood of each row's answer, of erased rows and of rows never seen.
        before, after: AUC on the same test rows by what was and what will be served; NaN where that cannot be told.
        liked, disliked: how many such rows there are.
    """

    reveals = "log-likelihoods of erased rows and of test rows one by one, without whose they are; two AUCs"

    forgotten: tuple[Finite, ...]
    unseen: tuple[Finite, ...]
    before: Real
    after: Real
    liked: Whole
    disliked: Whole


class ReleaseAnswer(Answer):
    """Done."""

    reveals = "nothing"


class ChainAnswer(Answer):
    """
    Attributes:
        head: of the chain after as many erasures as were asked about; empty where there were fewer.
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

    rows: Whole
