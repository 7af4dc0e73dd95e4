"""Bad client replies as data: a name, a function that spoils a good reply in its wire form, and a client that sends it.

Each takes and returns (arrays, metrics), as they are in the content of a `TrainAnswer`, and leaves its arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from numpy.typing import NDArray

from clients.app import app as client_app
from fedrec.protocol.questions import Train
from fedrec.protocol.record import Content
from fedrec.protocol.wire import pack
from server.calls import content_of

Arrays = dict[str, NDArray[Any]]
Metrics = dict[str, Any]
Wire = tuple[Arrays, Metrics]


class ClientCrash(Exception):
    """The client fails instead of answering; over Flower this becomes an error reply."""


def _poke(value: float) -> Callable[[Arrays, Metrics], Wire]:
    """One value of the first tensor becomes `value`."""

    def corrupt(arrays: Arrays, metrics: Metrics) -> Wire:
        key = min(arrays)
        array = arrays[key].copy()
        array.flat[0] = value
        return {**arrays, key: array}, metrics

    return corrupt


def _tensor(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays, Metrics], Wire]:
    """The first tensor is replaced."""

    def corrupt(arrays: Arrays, metrics: Metrics) -> Wire:
        key = min(arrays)
        return {**arrays, key: change(arrays[key])}, metrics

    return corrupt


def _metric(key: str, change: Callable[[Any], Any]) -> Callable[[Arrays, Metrics], Wire]:
    """One metric is replaced."""
    return lambda arrays, metrics: (arrays, {**metrics, key: change(metrics[key])})


def _of_shard(key: str, change: Callable[[Any], Any]) -> Callable[[Arrays, Metrics], Wire]:
    """One metric of the first shard is replaced."""
    return _metric(key, lambda values: [change(values[0]), *values[1:]])


def _missing_key(arrays: Arrays, metrics: Metrics) -> Wire:
    return {key: array for key, array in arrays.items() if key != min(arrays)}, metrics


def _extra_key(arrays: Arrays, metrics: Metrics) -> Wire:
    return {**arrays, "shard/0/intruder.A": np.zeros((1, 1), np.float32)}, metrics


def _extra_shard(arrays: Arrays, metrics: Metrics) -> Wire:
    shards = 1 + max(int(key.split("/")[1]) for key in arrays)
    copies = {key.replace("shard/0/", f"shard/{shards}/"): array for key, array in arrays.items()}
    return {**arrays, **copies}, {**metrics, "loss": [*metrics["loss"], 0.1], "examples": [*metrics["examples"], 1]}


def _empty(arrays: Arrays, metrics: Metrics) -> Wire:
    return {}, {}


def _crash(arrays: Arrays, metrics: Metrics) -> Wire:
    raise ClientCrash("the client failed")


def _truncate(array: NDArray[Any]) -> NDArray[Any]:
    """Half of the tensor's bytes, as they would arrive."""
    return np.frombuffer(array.tobytes()[: array.nbytes // 2], np.uint8)


BAD_REPLIES: dict[str, Callable[[Arrays, Metrics], Wire]] = {
    "nan": _poke(np.nan),
    "infinity": _poke(np.inf),
    "huge finite value": _poke(3e38),
    "wrong shape": _tensor(lambda array: array.reshape(-1)),
    "transposed": _tensor(lambda array: np.ascontiguousarray(array.T)),
    "wrong dtype": _tensor(lambda array: array.astype(np.float64)),
    "missing key": _missing_key,
    "extra key": _extra_key,
    "extra shard": _extra_shard,
    "wrong round": _metric("round", lambda round: round + 1),
    "other client's name": _metric("client", lambda name: name + "0"),
    "empty": _empty,
    "absurd loss": _of_shard("loss", lambda loss: 1e30),
    "negative loss": _of_shard("loss", lambda loss: -1.0),
    "loss not a number": _of_shard("loss", lambda loss: float("nan")),
    "negative examples": _of_shard("examples", lambda examples: -1),
    "too many examples": _of_shard("examples", lambda examples: 2**62),
    "fractional examples": _of_shard("examples", lambda examples: examples + 0.5),
    "error reply": _crash,
    "truncated bytes": _tensor(_truncate),
}


class Corrupting:
    """The real client app, whose replies to training one client spoils."""

    def __init__(self, spoil: Callable[[Arrays, Metrics], Wire], client: str = "client-1") -> None:
        self.spoil, self.client = spoil, client

    def __call__(self, message: Message, context: Context) -> Message:
        reply = client_app(message, context)
        if message.metadata.message_type != Train.kind:
            return reply
        content = content_of(reply)
        if content.values["client"] != self.client:
            return reply
        arrays, metrics = self.spoil(dict(content.arrays), dict(content.values))
        spoilt = pack(Content(metrics, {str(name): np.asarray(a) for name, a in arrays.items()}))
        record = ArrayRecord({"bytes": Array(np.frombuffer(spoilt, np.uint8))})
        return Message(RecordDict({"record": record}), reply_to=message)
