"""The erasure requests of a run as its page tells of them: plain facts that name no person.

The same facts give the same bytes. What is late is late on the day the facts are of, not on the day they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

KINDS = {"user": "a person", "client": "a client", "item": "items", "dates": "a range of dates"}
STATES = {
    "failed": "could not be carried out, or the check did not pass; what was withdrawn stays so",
    "held": "stopped for a reason; its last day stays",
    "received": "waits for a decision",
    "identified": "approved; the next run carries it out",
    "planned": "approved; the next run carries it out",
    "quarantined": "withdrawn: what learned from it answers nobody",
    "erasing": "withdrawn; deleted, and the shards are trained again",
    "verifying": "withdrawn; the retrained shards are checked",
    "published": "served again; the certificate is to come",
    "closed": "erased and verified; its certificate says what became of the model",
    "refused": "nothing was done; the letter to the person says why, and where to complain",
    "cancelled": "nothing was done, because whoever asked no longer wants it",
}


@dataclass(frozen=True)
class Waiting:
    """An open request; `kind` and `state` are words of `KINDS` and `STATES`, `due` is the last day to answer."""

    id: str
    kind: str
    state: str
    received: date
    due: date
    extended: bool


@dataclass(frozen=True)
class Closed:
    """A closed request and what it took: the shards trained again, and the rounds of each.

    Attributes:
        closed: the day on which its certificate was issued, where the run holds that.
        withdrawn, restored: seconds until nothing that learned from it was served, and until its shards were again.
        certificate: whether the run holds its certificate, with its evidence and page.
    """

    id: str
    kind: str
    closed: date | None
    shards: Sequence[int]
    rounds: int
    withdrawn: float | None
    restored: float | None
    certificate: bool


@dataclass(frozen=True)
class Erasures:
    """The erasure requests of a run.

    Attributes:
        on: the day, UTC, that the facts are of.
        counts: requests by state.
        waiting: the first due first, so late ones lead.
        closed: the newest first.
        people: by client, how many people each shard learned from, where this machine holds the clients.
    """

    on: date
    counts: Mapping[str, int]
    waiting: Sequence[Waiting]
    closed: Sequence[Closed]
    people: Mapping[str, Sequence[int]]

    @property
    def totals(self) -> list[int]:
        """Of all clients, how many people each shard learned from."""
        return [sum(column) for column in zip(*self.people.values(), strict=True)]
