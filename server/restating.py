"""After an erasure the run's figures are stated anew, of the data that is left.

What earlier rounds measured, and what training told of itself, cannot be had again without the rows that are gone:
where no retraining tells it anew, it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fedrec.data.evaluated import evaluated, share_in_round
from fedrec.data.table import TRAIN, Interactions
from fedrec.files import write_json
from fedrec.preparation import measured_on
from fedrec.store import Rounds, Run

Entry = dict[str, Any]

_OF_SHARDS = ("similarity", "heating", "weights")  # lists by shard, over the clients that took part
_GONE: Entry = {"clients": [], "overall": {}}


def restate(run: Run, shards: Sequence[int], again: Rounds) -> None:
    """Users, rows and trivial scorers from the vaults here; the rounds before the last without what they measured.

    Args:
        shards: those that were trained again, in the rounds `again`.
    """
    rows = run.home.interactions()
    last = run.rounds.last() or 0
    share = share_in_round(last, last, run.reference["measured"], run.config.evaluate)
    facts = {"clients": facts_of_clients(rows), **measured_on(rows, evaluated(rows, share, run.config.seed))}
    write_json(run.home.folder / "reference.json", {**run.reference, **facts})
    for number in range(last + 1):
        entry = run.rounds.entry(number)
        if number:
            entry = retold(entry, again.entry(number) if shards else {}, shards)
        run.rounds.retell(number, entry if number == last else entry | _GONE)


def retold(entry: Entry, again: Entry, shards: Sequence[int]) -> Entry:
    """What a round tells of its training, with what the retraining of some shards tells of its own in their place."""
    if not shards:
        return entry
    told = {name: value for name, value in entry.items() if name not in (*_OF_SHARDS, "train_loss")}
    whole = entry.get("participants") == again.get("participants")
    for name in _OF_SHARDS:
        old, new = entry.get(name, []), again.get(name, [])
        if whole and len(new) == len(shards) and max(shards) < len(old):
            fresh = dict(zip(shards, new, strict=True))
            told[name] = [fresh.get(shard, values) for shard, values in enumerate(old)]
    if whole and len(shards) == len(entry.get("heating", [None])):  # every shard: the mean over them is known
        told["train_loss"] = again["train_loss"]
    return told


def facts_of_clients(rows: Interactions) -> list[dict[str, int | str]]:
    """How many people and train rows each client has."""
    facts: list[dict[str, int | str]] = []
    if rows.client is None:  # of central training nobody is left
        return facts
    for index, name in enumerate(rows.client_ids):
        mine = rows.client == index
        trained = int((rows.split[mine] == TRAIN).sum())
        facts.append({"id": name, "users": len(np.unique(rows.user[mine])), "train_rows": trained})
    return facts
