"""What a client's reply must be before it counts. A bad reply is dropped and named; the round goes on without it.

`decode` reads the form, `check` holds one reply against what was asked, `check_together` compares the replies of a
round. Everything in a reply is untrusted: whatever is in it, the outcome is a `Reply` or a one-line `BadReply`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import State

_KEY = re.compile(r"shard/(0|[1-9][0-9]{0,5})/(.+\.[AB])")
_FEW = 3  # a median of fewer updates says nothing about any of them


class BadReply(Exception):
    """A reply that does not count; the message is one line that says why."""


@dataclass(frozen=True)
class Reply:
    """What a client says after training.

    Attributes:
        client: the name it gives itself.
        round: the round it answers.
        shards: its adapter in each of the shards it was asked for.
        loss: mean training loss in nats per shard; 0 in a shard without rows.
        examples: rows trained on per shard.
    """

    client: str
    round: int
    shards: list[State]
    loss: list[float]
    examples: list[int]


@dataclass(frozen=True)
class Limits:
    """What no honest reply exceeds."""

    max_abs: float
    """magnitude of a weight"""
    max_bytes: int
    """bytes of all tensors together"""
    max_loss: float = 100.0
    """nats a token: guessing among a million tokens costs 14"""


def decode(arrays: Mapping[str, NDArray[Any]], metrics: Mapping[str, Any]) -> Reply:
    """A reply from its wire form.

    Args:
        arrays: tensors by `shard/{s}/{layer}.A` and `shard/{s}/{layer}.B`, for s = 0 .. S-1.
        metrics: `client` (str), `round` (int), and for every shard `loss/{s}` (float) and `examples/{s}` (int); others
            are left alone.

    Raises:
        BadReply: a key or a value is none of these.
    """
    found: dict[int, State] = {}
    for key, array in arrays.items():
        match = _KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None:
            raise BadReply(f"tensor {_show(key)} is not shard/<number>/<layer>.A or .B")
        if not isinstance(array, np.ndarray):
            raise BadReply(f"tensor {_show(key)} is no array but {type(array).__name__}")
        found.setdefault(int(match[1]), {})[match[2]] = array
    if not found:
        raise BadReply("it has no tensors")
    shards = range(len(found))
    if missing := [shard for shard in shards if shard not in found]:
        raise BadReply(f"shard {missing[0]} is missing, though shard {max(found)} is there")
    return Reply(
        client=_text(metrics, "client"),
        round=_integer(metrics, "round"),
        shards=[found[shard] for shard in shards],
        loss=[_number(metrics, f"loss/{shard}") for shard in shards],
        examples=[_integer(metrics, f"examples/{shard}") for shard in shards],
    )


def check(reply: Reply, *, client: str, round: int, expected: State, announced: Sequence[int], limits: Limits) -> None:
    """Hold a reply against what was asked of `client` in `round`.

    Args:
        expected: a state with the keys and shapes of every shard.
        announced: S numbers of rows, as the client's inventory gave them; training on more is a lie.

    Raises:
        BadReply: the first thing that is wrong.
    """
    if reply.client != client:
        raise BadReply(f"it says it is {_show(reply.client)}, but {_show(client)} was asked")
    if reply.round != round:
        raise BadReply(f"it answers round {_show(reply.round)}, not {round}")
    if len(reply.shards) != len(announced):
        raise BadReply(f"it has {len(reply.shards)} shards, not {len(announced)}")
    size = sum(array.nbytes for state in reply.shards for array in state.values())
    if size > limits.max_bytes:
        raise BadReply(f"its tensors have {size} bytes, more than {limits.max_bytes}")
    for shard, (loss, examples, most) in enumerate(zip(reply.loss, reply.examples, announced, strict=True)):
        if not 0 <= loss <= limits.max_loss:
            raise BadReply(f"loss {loss:g} of shard {shard} is not within 0 and {limits.max_loss:g}")
        if not 0 <= examples <= most:
            raise BadReply(f"examples {_show(examples)} of shard {shard} are not within 0 and the {most} announced")
    for shard, state in enumerate(reply.shards):
        _check_state(state, expected, f"shard/{shard}/", limits.max_abs)


def check_together(updates: Mapping[str, float], max_update_ratio: float) -> dict[str, str]:
    """The clients whose update is out of all proportion, with the reason.

    Args:
        updates: Euclidean length of each client's update.
        max_update_ratio: longest accepted, as a multiple of the median of the updates that are not zero (a client
            without rows returns the model as it was). With fewer than three of those nothing is out of proportion.
    """
    lengths = [length for length in updates.values() if length != 0]
    if len(lengths) < _FEW:
        return {}
    usual = median(lengths)
    return {
        client: f"its update is {length / usual:.3g} times as long as the median, more than {max_update_ratio:g}"
        for client, length in updates.items()
        if length > max_update_ratio * usual
    }


def same_reason(dropped: Sequence[Mapping[str, str]], asked: Collection[str]) -> str | None:
    """The reason for which everybody who was asked was dropped, where it is one; their own names in it do not matter.

    Args:
        dropped: `client` and `reason` of each.
    """
    reasons = {each["client"]: each["reason"].replace(each["client"], "CLIENT") for each in dropped}
    found = {reasons.get(client) for client in asked}
    return found.pop() if len(found) == 1 else None


def _check_state(state: State, expected: State, prefix: str, max_abs: float) -> None:
    if missing := sorted(expected.keys() - state.keys()):
        raise BadReply(f"tensor {prefix}{missing[0]} is missing")
    if unknown := sorted(state.keys() - expected.keys()):
        raise BadReply(f"tensor {_show(prefix + unknown[0])} is unknown")
    for key, template in expected.items():
        array = state[key]
        if array.dtype != np.float32:
            raise BadReply(f"tensor {prefix}{key} is {array.dtype.str}, not float32")
        if array.shape != template.shape:
            raise BadReply(f"tensor {prefix}{key} has shape {array.shape}, not {template.shape}")
        if not np.isfinite(array).all():
            raise BadReply(f"tensor {prefix}{key} is not finite")
        if (largest := float(np.abs(array).max(initial=0))) > max_abs:
            raise BadReply(f"tensor {prefix}{key} holds {largest:.3g}, beyond {max_abs:g}")


def _text(metrics: Mapping[str, Any], key: str) -> str:
    value = metrics.get(key)
    if not isinstance(value, str):
        raise BadReply(f"{key} {_show(value)} is not a name")
    return value


def _integer(metrics: Mapping[str, Any], key: str) -> int:
    value = metrics.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadReply(f"{key} {_show(value)} is not an integer")
    return value


def _number(metrics: Mapping[str, Any], key: str) -> float:
    value = metrics.get(key)
    if not isinstance(value, float) or not math.isfinite(value):
        raise BadReply(f"{key} {_show(value)} is not a finite number")
    return value


def _show(value: object) -> str:
    """A value from outside on one short line; a huge integer or a nested thing is not even spelled out."""
    match value:
        case str():
            text = ascii(value[:60])  # escapes make it longer
            return text if len(text) <= 62 else text[:58] + "...'"
        case None | bool() | float():
            return repr(value)
        case int() if value.bit_length() <= 64:
            return repr(value)
        case _:
            return f"<{type(value).__name__}>"
