"""What a strategy is: its settings, what it does at the server, and what at a client. Shards never meet here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import Model, State
from fedrec.protocol.item_precision import Precision
from fedrec.protocol.item_rows import ItemAnswers
from fedrec.settings import Section


@dataclass(frozen=True)
class Trained:
    """What a client made of one shard: its adapter, mean loss in nats (0 without rows), and rows trained on.

    Attributes:
        known: how much it knows of which items, where that is told; None = all rows count alike.
    """

    client: str
    state: State
    loss: float
    examples: int
    known: Precision | None = None


@dataclass(frozen=True)
class Aggregate:
    """Next adapters by client.

    Attributes:
        record: what the strategy has to tell of how it made them; arrays over the n clients that replied: (n,) or
            (n, n).
    """

    states: dict[str, State]
    record: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Learnt:
    """What a client made of the shards that it was asked for: adapters, mean losses in nats, rows trained on.

    Attributes:
        answers: of each, items and how many of those rows are of them; None where items have no rows.
    """

    model: Model
    losses: tuple[float, ...]
    rows: tuple[int, ...]
    answers: tuple[ItemAnswers | None, ...] = ()


class Learner(Protocol):
    """A client in one round: what a strategy's half there has to work with.

    Attributes:
        round: its number, from 1.
        shards: that it was asked for.
    """

    @property
    def round(self) -> int: ...

    @property
    def shards(self) -> tuple[int, ...]: ...

    def learn(self, start: Model, *, anchor: Model | None = None, pull: float = 0.0, role: str = "") -> Learnt:
        """Train adapters on the client's rows.

        Args:
            anchor, pull: the proximal term pull/2 |theta - anchor|^2; none = towards the start.
            role: tells several trainings of a round apart.
        """
        ...

    def keep(self, role: str, model: Model) -> None:
        """Keep a model of this round that never leaves the client."""
        ...

    def kept(self, role: str, upto: int) -> Model | None:
        """The newest that was kept up to a round: a client may have sat rounds out."""
        ...


class Strategy(Section):
    """
    Attributes:
        words: how it trains, in a newcomer's words.
        pools: one client, named as the strategy, holds everybody's rows.
        averages: adapters of several clients become one.
        cannot_forget: why no person can be erased from its models; empty where they can.
        under_noise: its settings where the clients' training is noised (`fedrec.privacy`), if they are left open.
    """

    words: ClassVar[str]
    pools: ClassVar[bool] = False
    averages: ClassVar[bool] = True
    cannot_forget: ClassVar[str] = ""
    under_noise: ClassVar[Mapping[str, Any]] = {}

    @property
    def beside_noise(self) -> str | None:
        """What it tells of people's rows though the clients' training is noised, and the mend; None = nothing."""
        return None

    @property
    def beside_sum(self) -> str | None:
        """What it takes of single updates beside their mean, weighted by rows, and the mend; None = nothing."""
        return "strategy makes more of single updates than their sum; set strategy = fedavg or fedprox"

    @abstractmethod
    def aggregate(
        self, trained: Sequence[Trained], states: Mapping[str, State], initial: State, round_: int
    ) -> Aggregate:
        """The server's half: what every client gets next of one shard. Pure.

        Args:
            trained: the good replies of the round, at least one, sorted by client.
            states: every client's adapter now; who did not take part keeps it, unless one adapter is everybody's.
            initial: the adapter that all began with.
            round_: from 1.
        """

    def train(self, client: Learner, received: Model) -> Learnt:
        """A client's half: what it makes of the model that it has received, which goes to the server."""
        return client.learn(received)

    def served(self, client: Learner, published: Model) -> Model:
        """The model that a client answers with, once the server has published its next one."""
        return published
