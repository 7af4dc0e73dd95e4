"""What a run promises of privacy, in words: whose part in an adapter is bounded, by how much, and what is not covered.

Nothing is said that the ledgers of the clients do not bear: a client's shard that took a step without noise has no
bound, whatever the others have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fedrec.privacy_settings import WHOLE
from fedrec.reporting.run_result import Result

_WHOSE = {
    "person": "whether a person's rows were learnt from at all",
    "row": "whether one answer was learnt from, with the past that it was asked with (not whether it is in the past "
    "of others)",
    "client": "whether a client's update of a shard was in their mean",
}
_ALWAYS = (
    "how many people and rows each client has",
    "what is measured on test rows, and scores of them where a client tells such",
    "what a client answers its own people: item rows that stay there, and validation rows that weigh its shards",
)
NOT_COVERED = {
    "client": (
        *_ALWAYS,
        "who took part in which round",
        "the server, which sees every client's update as it is",
        "another update in a client's place, as when one of its people goes: that counts as noise of half as much",
        "people with rows at several clients, and clients in several runs: what was spent there adds up",
    )
} | dict.fromkeys(
    ("person", "row"),
    (
        *_ALWAYS,
        "who has rows at several clients, or in several runs: what was spent there adds up",
        "the client itself, which has the rows",
    ),
)


@dataclass(frozen=True)
class Promise:
    """
    Attributes:
        most: what was spent at most, over all clients' shards; None = without bound.
        whole: of a client with all its shards, where they add up and that is more.
        budget: None = there is none.
        spent: by client and shard.
    """

    unit: str
    most: float | None
    whole: float | None
    budget: float | None
    delta: float
    noise: float | None
    clip: float
    quantile: float | None
    sample_rate: float
    accountant: str
    spent: Mapping[str, Mapping[str, float | None]]

    @property
    def sentence(self) -> str:
        if self.most is None:
            return "Nothing is promised: steps were taken without noise"
        nobody = "nobody but the server" if self.unit == "client" else "nobody else"
        whole = "" if self.whole is None else f" ({self.whole:.3g} for all its shards together)"
        return (
            f"From the adapters {nobody} can tell {_WHOSE[self.unit]}, but for epsilon = {self.most:.3g} at "
            f"delta = {self.delta:g}{whole}"
        )

    @property
    def not_covered(self) -> tuple[str, ...]:
        return NOT_COVERED[self.unit]


def promise_of(result: Result) -> Promise | None:
    """None where a run promises nothing."""
    told = result.get("privacy")
    if not told:
        return None
    by_shard = {who: shards for who, shards in told["spent"].items() if who != WHOLE}
    every = [value for shards in by_shard.values() for value in shards.values()]
    return Promise(
        unit=told["unit"],
        most=None if None in every else max(every, default=0.0),
        whole=told["spent"].get(WHOLE, {}).get("all"),
        budget=told["epsilon"],
        delta=told["delta"],
        noise=told["noise"],
        clip=told["clip"],
        quantile=told.get("clip_quantile"),
        sample_rate=told["sample_rate"],
        accountant=told["accountant"],
        spent=told["spent"],
    )


def privacy_line(result: Result) -> str | None:
    """The same in one line, for the terminal; None where nothing is promised."""
    if (promise := promise_of(result)) is None:
        return None
    budget = f" of {promise.budget:g}" if promise.budget is not None and promise.most is not None else ""
    return f"privacy: {promise.sentence}{budget}; see docs/privacy.md for what that leaves out"
