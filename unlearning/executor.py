"""What the request workflow asks of a trained model that is to forget, whatever it is made of: an executor.

A request is located, withdrawn, erased, trained again without, rehearsed, served and measured, in this order; or
unlearned where it is trained again, or before that. Every step can be repeated: whoever is killed in the middle starts
again with the step at hand. A model has shards, and each
of its clients has an adapter of each; a model that is trained in one place has one client.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fedrec.config import RunConfig
from fedrec.data.dataset import Catalogue
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from fedrec.protocol.adapters import Model
from unlearning.certificates.bundle import Round
from unlearning.requests.ledger import Ledger

Say = Callable[[str], None]
OnRound = Callable[[], None]


def silent() -> None:
    """Nobody is told of finished rounds."""


class Away(FedrecError):
    """Who has to answer is not connected: nothing is wrong, and the same again goes on when they are."""


@dataclass(frozen=True)
class Located:
    """Who holds something of a selection.

    Attributes:
        rows: by client, where there are any.
        shards: that learnt from them, and those that changed.
        left: by client, places besides the rows where something of it is found.
        data: what each client's rows are known by, under a key of the client's; no number of rows, by which somebody
            with the source could tell who went.
        adapters: the hash of each shard's adapter that a client serves; empty where it is withdrawn.
        changed: by client, shards that learnt from other rows than it has now, whatever is selected: some went, or
            came, behind the ledger's back.
        titles: how many titles only these rows had, of a catalogue that was made of all rows, so that they stay in it;
            None where the catalogue is a list of its own, or nothing is found.
        erasures: by client, the number of its last erasure and the head of its chain there; none where none is known.
    """

    rows: dict[str, int]
    shards: tuple[int, ...]
    left: dict[str, int]
    data: dict[str, str]
    adapters: dict[str, list[str]]
    changed: dict[str, tuple[int, ...]] = field(default_factory=dict)
    titles: int | None = None
    erasures: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def traces(self) -> int:
        """How much is found of it, rows and else."""
        return sum(self.rows.values()) + sum(self.left.values())


@dataclass(frozen=True)
class Cost:
    """What it takes to train shards again.

    Attributes:
        clients: that take part.
        rounds: of each shard.
        seconds: as the first training took.
    """

    clients: list[str]
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Retrained:
    """What is on the disk of a retraining, or of an unlearning.

    Attributes:
        method: what it is called in a certificate; of an unlearning it begins with `unlearning.way.UNLEARNED`.
        adapters: by client, one of each shard that was trained again, in the order of the shards; none where no round
            is finished.
        rounds: how many are finished.
        participation: who took part in each round of each shard.
    """

    method: str
    adapters: dict[str, Model]
    rounds: int
    participation: list[Round]


@dataclass(frozen=True)
class Rehearsal:
    """How retrained adapters look before they are served, over all clients.

    Attributes:
        forgotten, unseen: log-likelihoods of erased rows that had been learnt from, and of rows that never were.
        utility: AUC before and after on the same test rows, mean over the clients by pairs of a liked and a disliked
            row, and how many rows were liked and disliked; None where none can be ranked.
        unanswered: clients that kept erased rows to answer for, and did not.
    """

    forgotten: list[float]
    unseen: list[float]
    utility: tuple[float, float, int, int] | None
    unanswered: tuple[str, ...] = ()


class TrainedModel(Protocol):
    """A trained model that requests are about, at rest."""

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path:
        """Where it is; the records of its erasures are kept in it."""

    @property
    def config(self) -> RunConfig: ...

    @property
    def configuration(self) -> dict[str, Any]:
        """All that its training depends on, as it is certified: at least `shards`, `seed`, and `rounds` of a shard."""

    @property
    def clients(self) -> tuple[str, ...]:
        """Who holds rows, sorted."""

    @property
    def catalogue(self) -> Catalogue: ...

    def shard_sizes(self) -> Mapping[str, Sequence[int]]:
        """By client, how many people are in each shard, where that is known on this machine."""


class HeldModel(TrainedModel, Protocol):
    """One where somebody may look for a person before asking the clients, as far as their rows are on this machine."""

    def clients_of(self) -> Mapping[str, Collection[str]] | None:
        """The clients that hold rows of each user; None where the rows are with the clients alone."""

    def changed_shards(self) -> Mapping[str, Collection[int]]:
        """By client, the shards it serves that learned from other rows than it has now, where there are any."""

    def holds(self, selection: Selection, client: str | None) -> bool:
        """Whether any row of a selection is there now, at that client or at any; or nobody here can tell."""


class Executor(Protocol):
    """Forgets in one trained model. A step that cannot be done raises FedrecError, with the mend in its one line."""

    @property
    def model(self) -> TrainedModel: ...

    @property
    def baselines(self) -> list[str]:
        """Models beside it that have read the same rows, and are thrown away when some of them are withdrawn."""

    def check_current(self) -> None:
        """FedrecError where a client lacks erasures that it had done, or would serve what was withdrawn."""

    def catch_up(self, say: Say) -> None:
        """No client lacks erasures that it had done when this returns, nor serves what was withdrawn."""

    def locate(self, selection: Selection, client: str | None = None) -> Located:
        """What is held of a selection; where one client alone is concerned, the others hold nothing of it."""

    def cost(self, shards: Sequence[int]) -> Cost:
        """Of training these shards again."""

    def withdraw(self, selection: Selection, client: str | None, shards: Collection[int]) -> list[str]:
        """Nobody serves the shards any more when this returns; the baselines that are gone as well."""

    def erase(self, selection: Selection, client: str | None, request: str) -> dict[str, int]:
        """Delete the rows, and keep out those that would come again; by client how many were deleted."""

    def retrain(self, shards: Sequence[int], folder: Path, on_round: OnRound = silent) -> dict[str, Model]:
        """The shards' adapters by client, trained from the start; `folder` keeps what an interruption must not cost.

        Args:
            on_round: called when a round is finished and in `folder`.
        """

    def retrained(self, shards: Sequence[int], folder: Path) -> Retrained:
        """What `retrain` left in a folder."""

    def unlearning(self, located: Located) -> Cost:
        """Of bringing what learned from it approximately to where it had not.

        Raises:
            FedrecError: it cannot be done in this model, or not of this.
        """

    def originals(self, shards: Sequence[int]) -> dict[str, Model]:
        """By client the adapters of withdrawn shards, as they were served; they are kept until `retrain` or `measure`.

        Raises:
            FedrecError: they are not there any more.
        """

    def unlearn(
        self, requests: Sequence[str], shards: Sequence[int], folder: Path, on_round: OnRound = silent
    ) -> dict[str, Model]:
        """The originals changed until they answer about as if they had never read the erased rows of some requests,
        which wait, sealed, since `erase`; by client, kept in `folder`.

        Raises:
            FedrecError: the originals or the rows are not there any more.
        """

    def unlearned(self, shards: Sequence[int], folder: Path) -> Retrained:
        """What `unlearn` left in a folder."""

    def rehearse(self, requests: Sequence[str], shards: Sequence[int], models: Mapping[str, Model]) -> Rehearsal:
        """How retrained adapters answer the rows that were erased for the requests, and others, before they serve."""

    def discard_erased(self, requests: Sequence[str]) -> None:
        """Nothing that waited for the verification is kept any longer."""

    def serve(self, shards: Sequence[int], models: Mapping[str, Model], withdrawn: Collection[int] = ()) -> None:
        """The retrained shards answer beside the others when this returns, but for those that stay withdrawn."""

    def measure(self, shards: Sequence[int], models: Mapping[str, Model], folder: Path) -> None:
        """State anew what the model's figures are, from what is served and what `retrain` or `unlearn` left there."""


class Host(Protocol):
    """Where a trained model is: what starts its executor there, and shows what came of it."""

    @property
    def model(self) -> HeldModel: ...

    def executor(self, ledger: Ledger, workers: str | int = 0) -> AbstractContextManager[Executor]:
        """
        Args:
            ledger: what remembers the clients' erasures.
            workers: as `fedrec.parallel.worker_count.parse_workers` gives it.
        """

    def stale_files(self, ledger: Ledger) -> Iterable[tuple[str, str]]:
        """What is here of before an erasure, as if an old copy had been put back; each file with why."""

    def warnings(self) -> Iterable[str]:
        """A line for each model beside it that is of before an erasure, with what removes it."""

    def publish(self, database: str | None) -> None:
        """Write the model's result and page anew.

        Args:
            database: URL of the ledger; None = where it is anyway.
        """
