"""After an erasure the run's figures are stated anew, of the data that is left.

What earlier rounds measured, and what training told of itself, cannot be had again without the rows that are gone:
where no retraining tells it anew, it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fedrec.data.evaluation_sample import share_in_round
from fedrec.files import write_json
from server.rounds import Rounds
from server.run import Run

Entry = dict[str, Any]

_OF_ALL = {
    "round", "asked", "participants", "dropped", "skipped", "bytes_up", "bytes_down", "share", "clients", "overall",
    "adapter_hash", "seconds",
}  # fmt: skip
"""What a round tells besides its training: that is its `train_loss`, and lists by shard that strategies tell of."""
_GONE: Entry = {"clients": [], "overall": {}}


def restate(run: Run, shards: Sequence[int], again: Rounds) -> None:
    """Users, rows and trivial scorers as far as they are known here; earlier rounds without what they measured.

    Args:
        shards: those that were trained again, in the rounds `again`.
    """
    write_json(run.main.folder / "reference.json", {**run.reference, **facts_now(run)})
    last = run.rounds.last() or 0
    for number in range(last + 1):
        entry = run.rounds.entry(number)
        if number:
            entry = retold(entry, again.entry(number) if shards else {}, shards, run.config.shards)
        run.rounds.retell(number, entry if number == last else entry | _GONE)


def facts_now(run: Run) -> Entry:
    """What reference.json says of rows, of those that are there now."""
    return run.main.measured_anew(share_in_round(0, 0, run.reference["measured"], run.config.evaluate))


def untold(entry: Entry) -> Entry:
    """A round without what its training tells of."""
    return {name: value for name, value in entry.items() if name in _OF_ALL}


def retold(entry: Entry, again: Entry, shards: Sequence[int], of: int) -> Entry:
    """What a round tells of its training, with what the retraining of some shards tells of its own in their place.

    Args:
        of: how many shards there are.
    """
    if not shards:
        return entry
    told = untold(entry)
    whole = entry.get("participants") == again.get("participants")
    for name in (each for each in entry if each not in told and each != "train_loss"):
        old, new = entry[name], again.get(name, [])
        if whole and len(new) == len(shards) and max(shards) < len(old):
            fresh = dict(zip(shards, new, strict=True))
            told[name] = [fresh.get(shard, values) for shard, values in enumerate(old)]
    if whole and len(shards) == of:  # every shard: the mean over them is known
        told["train_loss"] = again["train_loss"]
    return told
