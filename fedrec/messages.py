"""What server and clients say to each other: message types, record names, and adapters as named arrays.

    query.inventory   →  the client's name, its users, and its train rows of each shard
    train.lora        round, shards [, adapters]  →  adapters, loss and rows of each of those shards
    query.locate      selection           →  rows and shards that hold something of it; hashes of data and adapters
    query.withdraw    selection, shards   →  the shards that are still served; rows of the selection
    query.erase       selection, request  →  rows deleted; hash of the data that is left
    query.rehearse    requests, shards, adapters, unseen  →  how the erased rows, and so many test rows, look to those
                      adapters
    query.serve       shards, adapters (served from now on beside the others)  →  hash of each shard's adapter
    query.chain       after               →  head of the chain of erasures after so many, and the links that follow;
                      whether what is served may be
    query.repeat      round, links        →  nothing is served, what is missing is erased again: rows deleted
    evaluate.like     round, shards [, adapters: served from now on]  →  hash and metrics of the model that is served

A model is S adapters, one a shard; the array of shard s is named `shard/{s}/{layer}.A` (or `.B`), float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

INVENTORY = "query.inventory"
TRAIN = "train.lora"
EVALUATE = "evaluate.like"
LOCATE = "query.locate"
WITHDRAW = "query.withdraw"
ERASE = "query.erase"
REHEARSE = "query.rehearse"
SERVE = "query.serve"
CHAIN = "query.chain"
REPEAT = "query.repeat"

ARRAYS, CONFIG, METRICS = "arrays", "config", "metrics"  # records of a message

State = dict[str, NDArray[np.float32]]
"""The tensors of one adapter, by `{layer}.A` (rank, in) and `{layer}.B` (out, rank)."""
Model = list[State]
"""The adapters of S shards."""


def to_arrays(model: Sequence[Mapping[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """Named arrays of a model of S shards."""
    return {f"shard/{s}/{name}": array for s, state in enumerate(model) for name, array in sorted(state.items())}


def from_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> Model:
    """The model of `to_arrays`.

    Raises:
        ValueError: a name that is no adapter's, or a shard that is missing.
    """
    model: dict[int, State] = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        shard, _, key = rest.partition("/")
        if kind != "shard" or not shard.isdecimal() or not key:
            raise ValueError(f"array {name!r} is no adapter's")
        model.setdefault(int(shard), {})[key] = array
    if sorted(model) != list(range(len(model))):
        raise ValueError(f"shards {sorted(model)} are not 0 to {len(model) - 1}")
    return [model[s] for s in range(len(model))]


def size_of(arrays: Mapping[str, NDArray[np.float32]]) -> int:
    """Bytes of the arrays on the wire."""
    return sum(array.nbytes for array in arrays.values())
