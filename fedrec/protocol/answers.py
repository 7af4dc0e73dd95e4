"""What clients answer. All of it is untrusted: a record is checked for its form here, never for whether it is true."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Annotated, Any, Self

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, model_validator

from fedrec.privacy import disclosure
from fedrec.protocol.adapters import Model, from_arrays, to_arrays
from fedrec.protocol.record import (
    AsArrays,
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
    one_each,
)
from fedrec.text import shown
from fedrec.vault.chain import Link


@dataclass(frozen=True)
class OfRun:
    """Of a field that is held against the number of the run's shards: what is wrong with it, if anything is."""

    fault: Callable[[Sequence[Any], int], str | None]


def _fault_of_shards(numbers: Sequence[int], shards: int) -> str | None:
    if strange := [number for number in numbers if number >= shards]:
        return f"shard {shown(strange[0])} is not one of the run's {shards}"
    return "it names a shard twice" if len({*numbers}) < len(numbers) else None


def _fault_of_hashes(hashes: Sequence[str], shards: int) -> str | None:
    return None if len(hashes) == shards else f"served has {len(hashes)} hashes for {shards} shards"


def _read_link(value: Any) -> Link:
    match value:
        case Link():
            return value
        case [int() as number, str() as request, str() as head, str() as sealed] if not isinstance(number, bool):
            return Link(number, request, head, bytes.fromhex(sealed))
    raise ValueError(f"{shown(value)} is no link of a chain of erasures")


def _written_link(link: Link) -> list[int | str]:
    return [link.number, link.request, link.head, link.sealed.hex()]


Shards = Annotated[tuple[Count, ...], OfRun(_fault_of_shards)]
"""Numbers of the run's shards, each once."""
Served = Annotated[tuple[Hash, ...], OfRun(_fault_of_hashes)]
"""The hash of each shard's adapter; empty where none is served."""
Links = tuple[Annotated[Link, PlainValidator(_read_link), PlainSerializer(_written_link)], ...]
"""Of a chain of erasures: number, request, head, and the sealed tombstones in hex."""


class Answer(Record):
    """What every answer says.

    Attributes:
        client: the name that the client gives itself; empty where a node is nobody.
    """

    client: Text

    def check(self, client: str, shards: int) -> None:
        """Hold it against the client that was asked, and the number of the run's shards.

        Raises:
            BadMessage: it is no answer of this client's about such a run.
        """
        if self.client != client:
            raise BadMessage(f"it says it is {shown(self.client)}")
        for name, field in type(self).model_fields.items():
            for rule in field.metadata:
                if isinstance(rule, OfRun) and (fault := rule.fault(getattr(self, name), shards)):
                    raise BadMessage(fault)


class InventoryAnswer(Answer, reveals="who is behind the node; counts of people and rows, nobody's name"):
    """How many people's rows are there, and the train rows of each shard."""

    users: Count
    examples: tuple[Count, ...]


class Lacks(Answer, reveals="who is behind the node, and that it has not heard of the run"):
    """What any question is answered with by a client that has not got these facts of the run."""

    lacks: tuple[Text, ...]


class Done(Answer, reveals="nothing"):
    """What was asked for is done, and there is nothing to tell."""


def _some(arrays: Mapping[str, NDArray[Any]]) -> Model:
    if not arrays:
        raise ValueError("it has no tensors")
    return from_arrays(arrays)


class TrainAnswer(
    Answer,
    reveals="adapters that the client's rows are in, as they are, and by their item rows which items those are of, how "
    "many and how they were liked; losses and counts of rows; under privacy of persons or rows, adapters "
    "with noise and, in place of losses, what was spent; under that of clients no losses",
):
    """
    Attributes:
        adapters: in each of the shards that were asked for, trained.
        loss: mean training loss in nats per shard; 0 in a shard without rows.
        examples: rows trained on per shard.
        epsilon: what each shard's trainings have spent of the privacy budget so far; none where there is no budget.
    """

    round: Whole
    loss: tuple[Finite, ...]
    examples: tuple[Whole, ...]
    epsilon: tuple[Annotated[Real, Field(ge=0)], ...] = ()
    adapters: Annotated[Model, AsArrays(to_arrays, _some)]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        one_each(len(self.adapters), loss=self.loss, examples=self.examples)
        if self.epsilon:
            one_each(len(self.adapters), epsilon=self.epsilon)
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


class EvaluateAnswer(
    Answer,
    version=3,
    reveals="the number of test rows, metrics over all of them, and how far people differ in those that are means of "
    "people's; where asked for and allowed, how many scores of "
    "each label lie in each of 4,096 bins, or every row's scores and label with a number for its person, which whoever "
    "has the person's id can tell",
):
    """
    Attributes:
        served: SHA-256 of the model that is served.
        metrics: by group of rows: the client's name, or every client's with central training.
        scores: of those rows, as much as was asked for and the client's policy allows.
    """

    round: Whole
    served: Text
    metrics: dict[Text, Measures]
    scores: Annotated[disclosure.SharedScores, AsArrays(disclosure.to_arrays, disclosure.from_arrays)] = None


class SpreadAnswer(
    Answer, reveals="one number a measured model: how far its people differ in what they add to the AUC over all rows"
):
    """The sum over its people of the square of what their rows change in the AUC over all rows."""

    variance: Annotated[Finite, Field(ge=0)]


class ServeAnswer(Answer, reveals="hashes of adapters"):
    """What is served now."""

    served: Served


class LocateAnswer(
    Answer,
    reveals="that and how much of the selection is there; shards of other rows now; keyed hash of rows; adapters' "
    "hashes",
):
    """
    Attributes:
        rows: how many are selected.
        shards: that learnt from them.
        changed: shards that learnt from other rows than are there now, whatever is selected.
        left: places besides the rows where something of them is found.
        data: what the client's rows are known by, which only it could make or guess.
    """

    rows: Count
    shards: Shards
    changed: Shards
    left: Count
    served: Served
    data: Hash

    def check(self, client: str, shards: int) -> None:
        super().check(client, shards)
        if self.shards and not self.rows:
            raise BadMessage(f"shard {self.shards[0]} learnt from rows, and it has none of them")


class FindAnswer(Answer, reveals="whether anything of the people is there"):
    """Whether rows, scores, judged rows or erased rows that wait are there."""

    found: Flag


class WithdrawAnswer(Answer, reveals="how many rows of the selection are there"):
    """The shards that are still served, and how many rows are selected."""

    shards: Shards
    rows: Count


class EraseAnswer(
    Answer, version=2, reveals="how many rows were deleted, and how many of them were learned from one by one"
):
    """Rows deleted; of those that were learned from one by one, as many wait to be answered in a rehearsal."""

    rows: Count
    waiting: Count


class RehearseAnswer(
    Answer,
    reveals="log-likelihoods of erased rows and of test rows one by one, without whose they are; two AUCs",
):
    """
    Attributes:
        forgotten, unseen: the log-likelihood of each row's answer, of erased rows and of rows never seen.
        before, after: AUC on the same test rows by what was and what will be served; NaN where that cannot be told.
        liked, disliked: how many such rows there are.
    """

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


class ChainAnswer(Answer, reveals="ids of requests; heads of the chain; tombstones, sealed under the client's own key"):
    """
    Attributes:
        head: of the chain after as many erasures as were asked about; empty where there were fewer,
            or where tombstones are not those of the chain.
        links: those that follow.
        serves: whether what is served may be.
    """

    head: Text
    links: Links
    serves: Flag


class RepeatAnswer(Answer, reveals="how many rows were deleted again"):
    """Rows deleted again."""

    rows: Count
