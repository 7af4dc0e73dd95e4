"""What the server asks. Clients ask nothing.

A question is a message of its `kind`, which clients answer with the record `answer`, or with an error of one line.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from fedrec.config import Sharing
from fedrec.data.selection import Selection
from fedrec.protocol import answers
from fedrec.protocol.adapters import Model
from fedrec.protocol.links import Links
from fedrec.protocol.record import Finite, Hash, Record, Text, Whole, WithAdapters


class Question(Record):
    """What every question says.

    A client that lacks a fact that is named answers `answers.Lacks` instead, and is asked again after `Inform`.

    Attributes:
        run: its id.
        facts: of the run, each by its hash (`fedrec.protocol.facts`); `server.exchange.call` fills in both.
    """

    kind: ClassVar[str]
    answer: ClassVar[type[answers.Answer]]
    informed: ClassVar[bool] = True
    """whether a client has to know the run's facts to answer"""

    run: Text = ""
    facts: dict[Text, Hash] = Field(default_factory=dict)


class AboutShards(Question, WithAdapters):
    """A question about some shards, with the adapter of each, or of none.

    Attributes:
        shards: their numbers.
        adapters: one of each of those shards; none where the client has them.
    """

    shards: tuple[Whole, ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if self.adapters and len(self.adapters) != len(self.shards):
            raise ValueError(f"it has {len(self.adapters)} adapters for {len(self.shards)} shards")
        return self

    def carrying(self, adapters: Model) -> Self:
        """The same question with these adapters."""
        return self.model_copy(update={"adapters": adapters})


class Inventory(Question):
    """Who is behind a node, and how much there is to learn from."""

    kind = "query.inventory"
    answer = answers.InventoryAnswer
    reveals = "nothing"


class Inform(Question):
    """Keep these public facts of the run."""

    kind = "query.inform"
    answer = answers.Done
    informed = False
    reveals = "the run's configuration, the catalogue, and which base model it is: nobody's rows"

    told: dict[Text, Any]


class Train(AboutShards):
    """Train the adapters of some shards, from those that come along or those that were published last."""

    kind = "train.lora"
    answer = answers.TrainAnswer
    reveals = "adapters that other clients' rows are in"

    round: Whole


class Evaluate(AboutShards):
    """Serve the adapters that come along, if any do, and measure what is served on some of the people's test rows.

    Attributes:
        share: of the people.
        sharing: how much is asked for of those rows' scores.
    """

    version = 2
    kind = "evaluate.like"
    answer = answers.EvaluateAnswer
    reveals = "adapters that other clients' rows are in"

    round: Whole
    share: Finite
    sharing: Sharing


class Serve(AboutShards):
    """Serve these adapters from now on, beside those that are served."""

    kind = "query.serve"
    answer = answers.ServeAnswer
    reveals = "adapters that other clients' rows are in"


class Locate(Question):
    """Say what is there of a selection."""

    kind = "query.locate"
    answer = answers.LocateAnswer
    reveals = "whom or what somebody wants forgotten, to the clients concerned"

    selection: Selection


class Withdraw(Question):
    """Stop serving some shards."""

    kind = "query.withdraw"
    answer = answers.WithdrawAnswer
    reveals = "whom or what somebody wants forgotten, to the clients concerned"

    selection: Selection
    shards: tuple[Whole, ...]


class Erase(Question):
    """Delete what is selected, and what was made of it."""

    kind = "query.erase"
    answer = answers.EraseAnswer
    reveals = "whom or what somebody wants forgotten, to the clients concerned"

    selection: Selection
    request: Text


class Rehearse(AboutShards):
    """Say how the erased rows of some requests, and some rows never seen, look to adapters that are not served yet."""

    kind = "query.rehearse"
    answer = answers.RehearseAnswer
    reveals = "adapters that other clients' rows are in"

    requests: tuple[Text, ...]
    unseen: Whole


class Discard(Question):
    """Keep nothing any longer of what waited for the verification of some requests."""

    kind = "query.discard"
    answer = answers.Done
    reveals = "ids of requests"

    requests: tuple[Text, ...]


class Chain(Question):
    """Tell the chain of erasures after so many of them, and whether what is served may be."""

    kind = "query.chain"
    answer = answers.ChainAnswer
    reveals = "how many erasures the server knows of"

    after: Whole


class Leave(Question):
    """Have nothing of the run any longer, and serve nothing of it from the first moment on."""

    kind = "query.leave"
    answer = answers.Done
    informed = False
    reveals = "nothing"


class Repeat(Question):
    """Serve nothing until `Serve`, and erase again what is missing of these links."""

    kind = "query.repeat"
    answer = answers.RepeatAnswer
    reveals = "nothing: what was erased is sealed, and the client's own key opens it"

    links: Links


QUESTIONS: tuple[type[Question], ...] = (
    Inventory, Inform, Train, Evaluate, Serve, Locate, Withdraw, Erase, Rehearse, Discard, Chain, Repeat, Leave,
)  # fmt: skip
