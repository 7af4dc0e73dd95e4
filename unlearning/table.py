"""The private rows with all that is known of each, in one file: so a deletion takes a row away everywhere at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fedrec.data.selection import without
from fedrec.data.table import Interactions
from fedrec.files import replacing, storing
from unlearning.places import Places


@dataclass(frozen=True)
class Table:
    """n rows.

    Attributes:
        vectors: (n, d) float32, what the frozen base makes of the prompts of training and validation rows, else NaN.
        scores: (n, S) like-probability of the validation rows that judge the shards, by each shard's adapter alone;
            NaN for other rows, and where it is not known yet.
        judged: the hash of the adapter that each column of `scores` comes from; empty where there is none yet.
    """

    interactions: Interactions
    places: Places
    vectors: NDArray[np.float32]
    scores: NDArray[np.float64]
    judged: tuple[str, ...]

    def without(self, gone: NDArray[np.bool_]) -> Table:
        """The other rows. What was read off a prompt that a gone row stood in is unknown again."""
        affected = np.isin(self.interactions.user, self.interactions.user[gone])[~gone]
        vectors, scores = self.vectors[~gone], self.scores[~gone]
        vectors[affected] = np.nan
        scores[affected] = np.nan
        return Table(without(self.interactions, gone), self.places.take(~gone), vectors, scores, self.judged)


def save_table(path: Path, table: Table) -> None:
    rows = table.interactions
    arrays = {
        "user": rows.user, "item": rows.item, "label": rows.label, "time": rows.time, "split": rows.split,
        "shard": table.places.shard, "slice": table.places.slice, "vectors": table.vectors, "scores": table.scores,
    }  # fmt: skip
    if rows.truth is not None:
        arrays["truth"] = rows.truth
    # One key: the order of several would change from file to file.
    metadata = {"table": json.dumps({"user_ids": rows.user_ids, "judged": table.judged}, ensure_ascii=False)}
    with replacing(path) as partial, storing(partial):
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial, metadata)


def load_table(path: Path) -> Table:
    arrays: dict[str, NDArray[Any]] = load_file(path)
    with safe_open(path, "np") as file:
        known = json.loads(file.metadata()["table"])
    interactions = Interactions(
        arrays["user"], arrays["item"], arrays["label"], arrays["time"], arrays["split"], tuple(known["user_ids"]),
        truth=arrays.get("truth"),
    )  # fmt: skip
    places = Places(arrays["shard"], arrays["slice"])
    return Table(interactions, places, arrays["vectors"], arrays["scores"], tuple(known["judged"]))
