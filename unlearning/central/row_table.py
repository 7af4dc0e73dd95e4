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

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.selection import row_keys
from fedrec.files import replacing, storing
from fedrec.vault.rows import occurrences
from unlearning.shards.assignment import NOWHERE, ShardAssignment

_BYTES = 16  # of a hash

Hashes = NDArray[np.uint8]


@dataclass(frozen=True)
class RowTable:
    """n rows.

    Attributes:
        vectors: (n, d) float32, what the frozen base makes of the prompts of training and validation rows, else NaN.
    """

    interactions: Interactions
    assignment: ShardAssignment
    vectors: NDArray[np.float32]


def save_row_table(path: Path, table: RowTable, catalogue: Catalogue) -> None:
    row, timeline = _hashes(table.interactions, catalogue)
    arrays: dict[str, NDArray[Any]] = {
        "row": row, "timeline": timeline, "shard": table.assignment.shard, "slice": table.assignment.slice,
        "vectors": table.vectors,
    }  # fmt: skip
    with replacing(path, durable=True) as partial, storing(partial):
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial)


def load_row_table(path: Path, rows: Interactions, catalogue: Catalogue) -> RowTable:
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
    return RowTable(rows, ShardAssignment(shard, slice_), vectors)


def _hashes(rows: Interactions, catalogue: Catalogue) -> tuple[Hashes, Hashes]:
    """(n, 16) of each row, which stays when others go, and of all rows of its person with what was said of them."""
    keys = row_keys(rows, catalogue).tolist()
    said = zip(
        rows.user.tolist(), keys, occurrences(rows).tolist(), rows.label.tolist(), rows.split.tolist(), strict=True
    )
    own: list[bytes] = []
    of_person = [hashlib.sha256() for _ in rows.user_ids]
    for user, nth, label, split, key in said:
        own.append(hashlib.sha256(f"{key}\t{nth}".encode()).digest()[:_BYTES])
        of_person[user].update(f"{key}\t{nth}\t{label}\t{split}\n".encode())
    whole = np.array([list(each.digest()[:_BYTES]) for each in of_person], np.uint8).reshape(-1, _BYTES)
    return np.frombuffer(b"".join(own), np.uint8).reshape(-1, _BYTES), whole[rows.user]
