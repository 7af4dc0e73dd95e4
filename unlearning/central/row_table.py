"""What is known of the rows of a model, beside the vault that holds them: where each lives, and what the base reads.

On disk it is held to rows and timelines by their hashes: whoever deletes a row in the vault takes it away here as well,
and what was read off the timeline of a person whose rows have changed is unknown again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fedrec.config import TrainConfig
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.selection import row_keys
from fedrec.files import replacing, storing
from fedrec.vault.rows import occurrences
from unlearning.shards.assignment import NOWHERE, ShardAssignment

_BYTES = 16  # of a hash


@dataclass(frozen=True)
class RowTable:
    """n rows.

    Attributes:
        vectors: (n, d) float32, what the frozen base makes of the prompts of training and validation rows, else NaN.
    """

    interactions: Interactions
    assignment: ShardAssignment
    vectors: NDArray[np.float32]

    def taught(self, shard: int, train: TrainConfig) -> Interactions:
        """The rows that the training of a shard reads."""
        rows = self.interactions
        return rows.take(self.assignment.stopped_by(rows, train).read(rows, shard))

    def save(self, path: Path, catalogue: Catalogue) -> None:
        row, timeline = _hashes(self.interactions, catalogue)
        known = {"shard": self.assignment.shard, "slice": self.assignment.slice, "vectors": self.vectors}
        arrays: dict[str, NDArray[Any]] = {"row": row, "timeline": timeline, **known}
        with replacing(path, durable=True) as partial, storing(partial):
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial)

    @classmethod
    def load(cls, path: Path, rows: Interactions, catalogue: Catalogue) -> RowTable:
        """What is known of some rows. One that is new lives nowhere: it teaches nobody."""
        kept = load_file(path)
        row, timeline = _hashes(rows, catalogue)
        known = {digest.tobytes(): place for place, digest in enumerate(kept["row"])}
        found = np.array([known.get(digest.tobytes(), -1) for digest in row], np.intp)
        there = found >= 0
        same = there.copy()
        same[there] = (kept["timeline"][found[there]] == timeline[there]).all(axis=1)
        shard, slice_ = (np.where(there, kept[name][found], NOWHERE).astype(np.int32) for name in ("shard", "slice"))
        vectors = np.where(same[:, None], kept["vectors"][found], np.float32(np.nan))
        return cls(rows, ShardAssignment(shard, slice_), vectors)


def _hashes(rows: Interactions, catalogue: Catalogue) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(n, 16) of each row, which stays when others go, and of all rows of its person with what was said of them."""
    keys, nth = row_keys(rows, catalogue).tolist(), occurrences(rows).tolist()
    own: list[bytes] = []
    of_person = [hashlib.sha256() for _ in rows.user_ids]
    columns = (rows.user.tolist(), keys, nth, rows.label.tolist(), rows.split.tolist())
    for user, key, number, label, split in zip(*columns, strict=True):
        own.append(hashlib.sha256(f"{key}\t{number}".encode()).digest()[:_BYTES])
        of_person[user].update(f"{key}\t{number}\t{label}\t{split}\n".encode())
    whole = b"".join(each.digest()[:_BYTES] for each in of_person)
    row, timeline = (np.frombuffer(joined, np.uint8).reshape(-1, _BYTES) for joined in (b"".join(own), whole))
    return row, timeline[rows.user]
