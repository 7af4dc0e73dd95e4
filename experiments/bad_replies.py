"""Bad client replies as data: a name, a function that spoils a good reply in its wire form, and a client that sends it.

Each takes and returns (arrays, metrics) as `server.replies.decode` reads them, and leaves its arguments as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from clients.app import app as client_app
from fedrec import messages

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


def _missing_key(arrays: Arrays, metrics: Metrics) -> Wire:
    return {key: array for key, array in arrays.items() if key != min(arrays)}, metrics


def _extra_key(arrays: Arrays, metrics: Metrics) -> Wire:
    return {**arrays, "shard/0/intruder.A": np.zeros((1, 1), np.float32)}, metrics


def _extra_shard(arrays: Arrays, metrics: Metrics) -> Wire:
    shards = 1 + max(int(key.split("/")[1]) for key in arrays)
    copies = {key.replace("shard/0/", f"shard/{shards}/"): array for key, array in arrays.items()}
    return {**arrays, **copies}, {**metrics, f"loss/{shards}": 0.1, f"examples/{shards}": 1}


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
    "absurd loss": _metric("loss/0", lambda loss: 1e30),
    "negative loss": _metric("loss/0", lambda loss: -1.0),
    "loss not a number": _metric("loss/0", lambda loss: float("nan")),
    "negative examples": _metric("examples/0", lambda examples: -1),
    "too many examples": _metric("examples/0", lambda examples: 2**62),
    "fractional examples": _metric("examples/0", lambda examples: examples + 0.5),
    "error reply": _crash,
    "truncated bytes": _tensor(_truncate),
}


class Corrupting:
    """The real client app, whose replies to training one client spoils."""

    def __init__(self, spoil: Callable[[Arrays, Metrics], Wire], client: str = "client-1") -> None:
        self.spoil, self.client = spoil, client

    def __call__(self, message: Message, context: Context) -> Message:
        reply = client_app(message, context)
        if message.metadata.message_type != messages.TRAIN:
            return reply
        facts = dict(reply.content[messages.CONFIG])
        if facts["client"] != self.client:
            return reply
        arrays = {name: array.numpy() for name, array in reply.content[messages.ARRAYS].items()}
        arrays, metrics = self.spoil(arrays, {**reply.content[messages.METRICS], **facts})
        told = {key: value for key, value in metrics.items() if isinstance(value, str)}
        numbers = {key: value for key, value in metrics.items() if not isinstance(value, str)}
        content = RecordDict({messages.CONFIG: ConfigRecord(told), messages.METRICS: MetricRecord(numbers)})
        content[messages.ARRAYS] = ArrayRecord({str(name): Array(np.asarray(a)) for name, a in arrays.items()})
        return Message(content, reply_to=message)
