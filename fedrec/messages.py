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

from fedrec.protocol.adapters import Model, from_arrays, size_of, to_arrays

__all__ = ["Model", "from_arrays", "size_of", "to_arrays"]

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
