"""The balance of PPLR: how much of every peer's adapter goes into a client's own.

    S_ij = (cos(theta_i, theta_j) + 1) / 2
    w_i  = tanh(alpha / Lhat_i ** p),   Lhat = softmax(L / T)
    d_ii = 1,  d_ij = S_ij w_i
    theta_i <- sum_j d_ij theta_j / sum_j d_ij

Zhao et al., LLM-based Federated Recommendation, arXiv 2402.09959v2, and the authors' code. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fedrec.protocol.adapters import ITEMS_A, KNOWN, ROWS, State
from fedrec.protocol.item_precision import with_known
from fedrec.protocol.item_rows import rows_of, with_rows
from fedrec.protocol.item_rows import union as items_of_any
from fedrec.strategies.averaging import Precisions, precisions, weighted_sum
from fedrec.strategies.columns import columns, in_parts

Exponent = Literal["intended", "code"]
Matrix = NDArray[np.float64]

# tanh(exp(4)) is 1 in float64; larger arguments would only overflow.
_SATURATED = 4.0

_FEW = 64  # clients; with 1,000, sums one by one took ten times as long as the whole round


def similarity(states: Sequence[State], origin: State | None = None) -> Matrix:
    """Pairwise (cos + 1) / 2 of n finite states: an (n, n) symmetric matrix in [0, 1] with unit diagonal.

    A state of zeros (the update of a client without rows) has no direction: its cosine to the others is 0.

    Args:
        origin: taken off each.
    """
    squares = sum(np.einsum("id,id->i", part, part) for part in _vectors(states, origin))
    length = np.sqrt(squares)[:, None]
    length = np.where(length > 0, length, 1)
    cosines = np.zeros((len(states), len(states)))
    for part in _vectors(states, origin):
        part /= length
        cosines += _product(part, part.T)
    result: Matrix = np.clip((cosines + 1) / 2, 0, 1)
    np.fill_diagonal(result, 1)
    return result


def heating(
    losses: NDArray[np.float64],
    round_index: int,
    alpha: float,
    beta: float,
    temperature: float,
    exponent: Exponent,
) -> NDArray[np.float64]:
    """Dynamic learning speed w of n clients, in (0, 1]: the share of its peers that a client takes in.

    It rises with the rounds towards 1, and more slowly for a client whose loss is high among the others'.

    Args:
        losses: (n,) local training losses, finite.
        round_index: t = 0, 1, ...
        alpha: w of a client that holds all the softmax mass is tanh(alpha).
        beta: the number of rounds over which the exponent grows by one ("intended").
        temperature: T of the softmax over the losses.
        exponent: p = (t + 1) / beta ("intended"), or p = t + 1 / beta as the authors' code has it ("code").
    """
    power = (round_index + 1) / beta if exponent == "intended" else round_index + 1 / beta
    scaled = (losses - losses.max()) / temperature
    log_share = scaled - np.log(np.exp(scaled).sum())
    log_argument = np.log(alpha) - power * log_share
    speed: NDArray[np.float64] = np.tanh(np.exp(np.minimum(log_argument, _SATURATED)))
    return speed


def mixing(similarity: Matrix, heating: NDArray[np.float64] | None) -> Matrix:
    """Mixing weights (n, n), each row summing to 1, from similarity (n, n) and heating (n,) or none.

    Row i is what client i takes: 1 of itself and S_ij w_i of peer j, divided by their sum.
    """
    shares: Matrix = similarity * (1 if heating is None else heating[:, None])
    np.fill_diagonal(shares, 1)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _vectors(states: Sequence[State], origin: State | None) -> Iterator[Matrix]:
    """The numbers of n states less those of the origin, (n, ·) at a time."""
    if origin is None:
        yield from (part.astype(np.float64) for part in columns(states))
    else:
        yield from ((part[:-1] - part[-1]).astype(np.float64) for part in columns([*states, origin]))


def mix(states: Sequence[State], weights: Matrix, known: Precisions = ()) -> list[State]:
    """New states: the i-th is sum_j weights[i, j] * states[j], all of them from `states` as they were handed in.

    The authors' code writes averages in place, so that later clients mix already mixed states; this does not.
    """
    if len(states) <= _FEW:
        return [weighted_sum(states, row, known, trust) for row, trust in zip(weights, trust_of(weights), strict=True)]
    mixed: list[State] = [{} for _ in states]
    for key in sorted(states[0].keys() - {ITEMS_A, ROWS, KNOWN}):
        stacked = np.stack([state[key].ravel() for state in states]).astype(np.float64)
        for state, row in zip(mixed, _product(weights, stacked).astype(np.float32), strict=True):
            state[key] = row.reshape(states[0][key].shape)
    return _with_item_rows(mixed, states, weights, known) if ITEMS_A in states[0] else mixed


def _with_item_rows(mixed: Sequence[State], states: Sequence[State], weights: Matrix, known: Precisions) -> list[State]:
    """The mixed states with their item rows, too."""
    items, rank, trust = items_of_any(states), states[0][ITEMS_A].shape[1], trust_of(weights)
    every = [np.empty((len(items), rank), np.float32) for _ in states]
    sure = np.zeros((len(states), len(items)), np.float32)
    low = 0
    for part in in_parts(states):
        here, precision = slice(low, low + len(part)), precisions(known, part)
        rows = np.stack([rows_of(state, part) for state in states]).astype(np.float64)
        if precision is None:
            value = _product(weights, rows.reshape(len(rows), -1)).reshape(rows.shape)
        else:  # as `weighted_sum` has it for each row of weights
            value = _product(trust, (rows * precision[..., None]).reshape(len(rows), -1)).reshape(rows.shape)
            total = _product(trust, precision)
            value *= (weights.sum(1)[:, None] / total)[..., None]
            sure[:, here] = total
        for own, new in zip(every, value, strict=True):
            own[here] = new
        low += len(part)
    found = [with_rows(state, items, own) for state, own in zip(mixed, every, strict=True)]
    return [with_known(state, (items, own)) for state, own in zip(found, sure, strict=True)] if any(known) else found


def trust_of(weights: Matrix) -> Matrix:
    """(n, n) how much of what each knows counts for a client, whose own counts in full, from the mixing weights."""
    own = weights.diagonal()
    return np.asarray(weights / np.where(own > 0, own, 1)[:, None])


def _product(a: Matrix, b: Matrix) -> Matrix:
    """a b, whose last bits do not depend on the number of threads: so of many rows by BLAS, but on one thread."""
    if len(a) <= _FEW:
        return np.asarray(np.einsum("id,dj->ij", a, b))
    with threadpool_limits(1):
        return np.asarray(a @ b)
