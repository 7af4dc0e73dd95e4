"""What the server asks. Clients ask nothing.

A question is a message of its `kind`, which clients answer with the record `answer`, or with an error of one line.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from fedrec.config import Sharing
from fedrec.data.selection import Selection
from fedrec.privacy import disclosure
from fedrec.protocol import answers, masked_answers
from fedrec.protocol.adapters import Model
from fedrec.protocol.layers import Ticket
from fedrec.protocol.record import Adapters, AsArrays, Finite, Hash, Record, Text, Whole, one_each

_ADAPTERS = "adapters that other clients' rows are in, and of how many answers about an item all of them know"
_SELECTION = "whom or what somebody wants forgotten, to the clients concerned"


class Question(Record):
    """What every question says.

    A client that lacks a fact that is named answers `answers.Lacks` instead, and is asked again after `Inform`.

    Attributes:
        run: its id.
        facts: of the run, each by its hash (`fedrec.protocol.facts`); `server.calls.call` fills in both.
        informed: whether a client has to know the run's facts to answer.
    """

    kind: ClassVar[str]
    answer: ClassVar[type[answers.Answer]]
    informed: ClassVar[bool]

    run: Text = ""
    facts: dict[Text, Hash] = Field(default_factory=dict)

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        answer: type[answers.Answer] = answers.Done,
        informed: bool = True,
        reveals: str = "",
        version: int = 1,
    ) -> None:
        super().__init_subclass__(reveals=reveals, version=version)
        cls.kind, cls.answer, cls.informed = kind, answer, informed


class AboutShards(Question):
    """A question about some shards.

    Attributes:
        shards: their numbers.
        adapters: one of each of those shards; none where the client has them.
    """

    shards: tuple[Whole, ...]
    adapters: Adapters = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if self.adapters:
            one_each(len(self.shards), adapters=self.adapters)
        return self

    def carrying(self, adapters: Model) -> Self:
        """The same question with these adapters."""
        return self.model_copy(update={"adapters": adapters})


class Inventory(Question, kind="query.inventory", answer=answers.InventoryAnswer, reveals="nothing"):
    """Who is behind a node, and how much there is to learn from."""


class Inform(
    Question,
    kind="query.inform",
    informed=False,
    reveals="the run's configuration, the catalogue, and which base model it is: nobody's rows",
):
    """Keep these public facts of the run."""

    told: dict[Text, Any]


class Train(AboutShards, kind="train.lora", answer=answers.TrainAnswer, reveals=_ADAPTERS, version=2):
    """Train the adapters of some shards, from those that come along or those that were published last.

    Attributes:
        layers: how to reach who computes the middle of the model, where that is not the client.
    """

    round: Whole
    layers: Ticket | None = None


class Unlearn(
    AboutShards,
    kind="train.unlearn",
    answer=answers.TrainAnswer,
    reveals=f"{_ADAPTERS}, the erased ones among them; ids of requests",
):
    """Have adapters forget the erased rows of some requests that wait there, or train them where none do."""

    round: Whole
    requests: tuple[Text, ...]


class Advertise(Question, kind="query.advertise", answer=masked_answers.KeysAnswer, reveals="that a sum is to be made"):
    """Make keys for a sum of updates under masks (`fedrec.secure_aggregation`), and forget those of any before it."""

    sum: Text


class Share(
    Question, kind="query.shares", answer=masked_answers.SharesAnswer, reveals="which clients are asked, and their keys"
):
    """Share out the secrets behind the masks of a sum among these, the client itself among them."""

    sum: Text
    neighbours: dict[Text, masked_answers.PublicKeys]


class TrainMasked(AboutShards, kind="train.masked", answer=masked_answers.MaskedAnswer, reveals=_ADAPTERS):
    """Train as for `Train`, and say what was learnt as a part of a sum.

    Attributes:
        sharers: of the client's neighbours those that have shared their secrets out.
    """

    round: Whole
    sum: Text
    sharers: tuple[Text, ...]


class Reveal(
    Question, kind="query.reveal", answer=masked_answers.RevealAnswer, reveals="which clients are in a sum; shares"
):
    """Give the shares that undo the masks of a sum.

    Attributes:
        boxes: by neighbour that has shared its secrets out, what it sealed for this client.
        inside, dropped: those of them that are in the sum, and those that are not.
    """

    sum: Text
    boxes: masked_answers.Boxes
    inside: tuple[Text, ...]
    dropped: tuple[Text, ...]


class Evaluate(AboutShards, kind="evaluate.like", answer=answers.EvaluateAnswer, reveals=_ADAPTERS, version=2):
    """Serve the adapters that come along, if any do, and measure what is served on some of the people's test rows.

    Attributes:
        share: of the people.
        sharing: how much is asked for of those rows' scores.
    """

    round: Whole
    share: Finite
    sharing: Sharing


class Spread(
    Question,
    kind="query.spread",
    answer=answers.SpreadAnswer,
    reveals="how many scores of each label of all clients' test rows, of three of them at least, lie in each of 4,096 "
    "bins",
):
    """How far its people differ in what they add to the AUC over all clients' rows, for its interval."""

    round: Whole
    counts: Annotated[disclosure.Histogram, AsArrays(disclosure.to_arrays, disclosure.counts_of)]


class Serve(AboutShards, kind="query.serve", answer=answers.ServeAnswer, reveals=_ADAPTERS):
    """Serve these adapters from now on, beside those that are served."""


class Locate(Question, kind="query.locate", answer=answers.LocateAnswer, reveals=_SELECTION):
    """Say what is there of a selection."""

    selection: Selection


class Find(
    Question,
    kind="query.find",
    answer=answers.FindAnswer,
    reveals="a keyed hash of the id of whom somebody wants forgotten, and its key: who has the id, or guesses it, "
    "knows it again",
):
    """Say whether anything of people is there of whom HMAC-SHA256(key, id) is told: the id hears who has it."""

    key: Hash
    marks: tuple[Hash, ...]


class Withdraw(Question, kind="query.withdraw", answer=answers.WithdrawAnswer, reveals=_SELECTION):
    """Stop serving some shards."""

    selection: Selection
    shards: tuple[Whole, ...]


class Erase(Question, kind="query.erase", answer=answers.EraseAnswer, reveals=_SELECTION):
    """Delete what is selected, and what was made of it."""

    selection: Selection
    request: Text


class Rehearse(AboutShards, kind="query.rehearse", answer=answers.RehearseAnswer, reveals=_ADAPTERS):
    """Say how the erased rows of some requests, and some rows never seen, look to adapters that are not served yet."""

    requests: tuple[Text, ...]
    unseen: Whole


class Discard(Question, kind="query.discard", reveals="ids of requests"):
    """Keep nothing any longer of what waited for the verification of some requests."""

    requests: tuple[Text, ...]


class Chain(Question, kind="query.chain", answer=answers.ChainAnswer, reveals="how many erasures the server knows of"):
    """Tell the chain of erasures after so many of them, and whether what is served may be."""

    after: Whole


class Leave(Question, kind="query.leave", informed=False, reveals="nothing"):
    """Have nothing of the run any longer, and serve nothing of it from the first moment on."""


class Repeat(
    Question,
    kind="query.repeat",
    answer=answers.RepeatAnswer,
    reveals="nothing: what was erased is sealed, and the client's own key opens it",
):
    """Serve nothing until `Serve`, and erase again what is missing of these links."""

    links: answers.Links


QUESTIONS: tuple[type[Question], ...] = (
    Inventory, Inform, Train, Unlearn, Evaluate, Spread, Serve, Find, Locate, Withdraw, Erase, Rehearse, Discard, Chain,
    Repeat, Leave, Advertise, Share, TrainMasked, Reveal,
)  # fmt: skip
