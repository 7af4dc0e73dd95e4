"""Adapters as named arrays: a model is S adapters, one a shard; those of shard s are `shard/{s}/{layer}.A` and `.B`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.text import shown

State = dict[str, NDArray[np.float32]]
"""The tensors of one adapter, by `{layer}.A` (rank, in) and `{layer}.B` (out, rank); of items as `ITEM_ROWS`."""
Model = list[State]
"""The adapters of S shards."""
ITEMS_A, ITEMS_B, ROWS = ITEM_ROWS = ("items.A", "items.B", "items.rows")
"""The tensors of an adapter's item rows, where it has such; `fedrec.protocol.item_rows` has their form."""
ANSWERS = "items.answers"
"""Beside them in what a client sends: (m,) int32 of how many of its rows each was learnt."""
KNOWN = "items.known"
"""Beside them in what the server sends: (m,) float32, the precision of each, with the receiver's own part at full."""

_KEY = re.compile(r"shard/(0|[1-9][0-9]{0,5})/(.+\.[AB]|items\.(?:rows|answers|known))")


def to_arrays(model: Sequence[Mapping[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """Named arrays of a model of S shards."""
    return {f"shard/{s}/{name}": array for s, state in enumerate(model) for name, array in sorted(state.items())}


def from_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> Model:
    """The model of `to_arrays`. Whether they have the right layers, types and shapes is for the caller to see.

    Raises:
        ValueError: one line: a name that is no adapter's, or a shard that is missing.
    """
    model: dict[int, State] = {}
    for key, array in arrays.items():
        match = _KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None:
            raise ValueError(f"tensor {shown(key)} is not shard/<number>/<layer>.A or .B")
        if not isinstance(array, np.ndarray):
            raise ValueError(f"tensor {shown(key)} is no array but {type(array).__name__}")
        model.setdefault(int(match[1]), {})[match[2]] = array
    if missing := [shard for shard in range(len(model)) if shard not in model]:
        raise ValueError(f"shard {missing[0]} is missing, though shard {max(model)} is there")
    return [model[shard] for shard in range(len(model))]


def size_of(arrays: Mapping[str, NDArray[np.float32]]) -> int:
    """Bytes of the arrays on the wire."""
    return sum(array.nbytes for array in arrays.values())


def digest_of(state: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 (hex) of an adapter: of every key, shape and little-endian content, in sorted key order.

    Numbers are fp32, but for those of the items that it has rows of, which are int32. What is known of the rows stands
    beside an adapter, and is no part of it.
    """
    digest = hashlib.sha256()
    for key in sorted(state.keys() - {KNOWN}):
        digest.update(f"{key} {state[key].shape}\n".encode())
        digest.update(np.asarray(state[key], dtype="<i4" if key == ROWS else "<f4").tobytes())
    return digest.hexdigest()


def model_hash(adapters: Sequence[str]) -> str:
    """SHA-256 of a model from the hashes of its adapters, in order."""
    return hashlib.sha256("\n".join(adapters).encode()).hexdigest()
