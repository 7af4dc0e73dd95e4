"""What a client's reply must be before it counts. A bad reply is dropped and named; the round goes on without it.

`check` holds one reply against what was asked, `check_together` compares the replies of a round. Everything in a reply
is untrusted: whatever is in it, what comes out is a record that passes here or a one-line `BadMessage`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from fedrec.protocol import item_rows
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS, State
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.record import BadMessage
from fedrec.text import amount, shown
from server.rounds import Dropped

_FEW = 3  # a median of fewer updates says nothing about any of them


@dataclass(frozen=True)
class Limits:
    """What no honest reply exceeds."""

    max_abs: float
    """magnitude of a weight"""
    max_bytes: int
    """bytes of all tensors together"""
    items: int = 0
    """in the catalogue, where they have tokens"""
    counts: bool | None = None
    """whether item rows come with how many answers each was learnt from; None where it is not known"""
    max_loss: float = 100.0
    """nats a token: guessing among a million tokens costs 14"""


def check(
    reply: TrainAnswer, *, client: str, round: int, expected: State, announced: Sequence[int], limits: Limits
) -> TrainAnswer:
    """The reply, once it is held against what was asked of `client` in `round`.

    Args:
        expected: the adapter that all began with: keys and shapes of every shard, but for the items it has rows of.
        announced: S numbers of rows, as the client's inventory gave them; training on more is a lie.

    Raises:
        BadMessage: the first thing that is wrong.
    """
    if reply.client != client:
        raise BadMessage(f"it says it is {shown(reply.client)}, but {shown(client)} was asked")
    if reply.round != round:
        raise BadMessage(f"it answers round {shown(reply.round)}, not {round}")
    if len(reply.adapters) != len(announced):
        raise BadMessage(f"it has {amount(len(reply.adapters), 'shard')}, not {len(announced)}")
    size = sum(array.nbytes for state in reply.adapters for array in state.values())
    if size > limits.max_bytes:
        raise BadMessage(f"its tensors have {size} bytes, more than {limits.max_bytes}")
    for shard, (loss, examples, most) in enumerate(zip(reply.loss, reply.examples, announced, strict=True)):
        if not 0 <= loss <= limits.max_loss:
            raise BadMessage(f"loss {loss:g} of shard {shard} is not within 0 and {limits.max_loss:g}")
        if not 0 <= examples <= most:
            raise BadMessage(f"examples {shown(examples)} of shard {shard} are not within 0 and the {most} announced")
    rank = expected[ITEMS_A].shape[1] if ITEMS_A in expected else 0
    for shard, (sent, most) in enumerate(zip(reply.adapters, reply.examples, strict=True)):
        try:
            item_rows.check(sent, limits.items, rank)
        except ValueError as error:
            raise BadMessage(f"shard {shard}: {error}") from None
        state, answers = item_rows.without_answers(sent)
        _check_state(state, expected, f"shard/{shard}/", limits.max_abs)
        if limits.counts is not None and (answers is not None) != limits.counts:
            why = "says nothing of" if limits.counts else "was not asked for"
            raise BadMessage(f"it {why} how many answers its item rows of shard {shard} were learnt from")
        if answers is not None and (told := int(answers[1].sum(dtype=np.int64))) > most:
            raise BadMessage(f"its item rows are of {told} answers in shard {shard}, more than its {most} examples")
    return reply


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


def same_reason(dropped: Sequence[Dropped], asked: Collection[str]) -> str | None:
    """The one reason for which all who were asked were dropped, if it is one; their own names in it do not matter."""
    reasons = {each.client: each.reason.replace(each.client, "CLIENT") for each in dropped}
    found = {reasons.get(client) for client in asked}
    return found.pop() if len(found) == 1 else None


def _check_state(state: State, expected: State, prefix: str, max_abs: float) -> None:
    if missing := sorted(expected.keys() - state.keys()):
        raise BadMessage(f"tensor {prefix}{missing[0]} is missing")
    if unknown := sorted(state.keys() - expected.keys()):
        raise BadMessage(f"tensor {shown(prefix + unknown[0])} is unknown")
    for key, template in expected.items():
        array = state[key]
        if key == ROWS:
            continue
        if array.dtype != np.float32:
            raise BadMessage(f"tensor {prefix}{key} is {array.dtype.str}, not float32")
        if key != ITEMS_A and array.shape != template.shape:
            raise BadMessage(f"tensor {prefix}{key} has shape {array.shape}, not {template.shape}")
        if not np.isfinite(array).all():
            raise BadMessage(f"tensor {prefix}{key} is not finite")
        if (largest := float(np.abs(array).max(initial=0))) > max_abs:
            raise BadMessage(f"tensor {prefix}{key} holds {largest:.3g}, beyond {max_abs:g}")
        if key == ITEMS_B and not np.allclose(array, template, rtol=1e-6, atol=0):
            raise BadMessage(f"tensor {prefix}{key} is not the public frame of item rows, which nobody trains")
