"""What an ensemble said of the test rows, in a file: who was measured, and by which shards."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TEST, Catalogue, Interactions
from fedrec.data.selection import Selection, row_keys
from fedrec.files import replacing


@dataclass(frozen=True)
class Scored:
    """n test rows as they were measured last.

    Attributes:
        round: () after which.
        shards: () which answered, as text.
        scores: (n,) probabilities of a like.
        labels, items, times: (n,) of each row, the item as its place in the catalogue.
        users: (n,) ids.
        group: (n,) index of the row's client, where the data name it; else 0.
        rows: (n,) keys, as `row_keys` makes them.
    """

    round: NDArray[np.int64]
    shards: NDArray[np.str_]
    scores: NDArray[np.float64]
    labels: NDArray[np.int8]
    users: NDArray[np.str_]
    items: NDArray[np.int32]
    times: NDArray[np.int64]
    group: NDArray[np.int32]
    rows: NDArray[np.str_]


class ScoreFile:
    """The file; it is kept anew whenever the model is measured."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(
        self, number: int, shards: tuple[int, ...], rows: Interactions, catalogue: Catalogue, scores: NDArray[Any]
    ) -> None:
        """Keep what so many rows were scored, after round `number`, by these shards."""
        scored = Scored(
            round=np.array(number),
            shards=np.array(str(shards)),
            scores=scores,
            labels=rows.label,
            users=np.array(rows.user_ids, dtype=np.str_)[rows.user],
            items=rows.item,
            times=rows.time,
            group=np.zeros(len(rows), np.int32) if rows.client is None else rows.client,
            rows=row_keys(rows, catalogue),
        )
        self._write(scored)

    def read(self) -> Scored | None:
        """None where there is none, or none that can be read."""
        try:
            with np.load(self.path, allow_pickle=False) as content:
                return Scored(**content)
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def met(self, selection: Selection, catalogue: Catalogue) -> int:
        """How many scored rows are of a selection; one where the file cannot be read: it may hold anybody."""
        if (kept := self.read()) is None:
            return int(self.path.exists())
        ids, user = np.unique(kept.users, return_inverse=True)
        split, who = np.full(len(user), TEST, np.int8), user.astype(np.int32)
        rows = Interactions(who, kept.items, kept.labels, kept.times, split, tuple(map(str, ids)))
        return int(selection.mask(rows, catalogue).sum())

    def said_of(self, keys: NDArray[np.str_], shards: tuple[int, ...]) -> NDArray[np.float64]:
        """(n,) what these shards said of n rows, by their keys; NaN where nobody or others answered."""
        kept = self.read()
        if kept is None or str(kept.shards) != str(shards):
            return np.full(len(keys), np.nan)
        said = dict(zip(kept.rows.tolist(), kept.scores.tolist(), strict=True))
        return np.array([said.get(key, np.nan) for key in keys.tolist()], np.float64)

    def retain(self, keys: NDArray[np.str_]) -> None:
        """Keep the scores of these rows and no others; nothing where nobody can tell whose they are."""
        if (kept := self.read()) is None:
            self.path.unlink(missing_ok=True)
        else:
            stay = np.isin(kept.rows, keys)
            self._write(replace(kept, **{name: each[stay] for name, each in vars(kept).items() if each.ndim}))

    def _write(self, scored: Scored) -> None:
        with replacing(self.path) as partial, partial.open("wb") as file:
            np.savez(file, **vars(scored))
