"""The balance of PPLR: how much of every peer's adapter goes into a client's own.

    S_ij = (cos(theta_i, theta_j) + 1) / 2
    w_i  = tanh(alpha / Lhat_i ** p),   Lhat = softmax(L / T)
    d_ii = 1,  d_ij = S_ij w_i
    theta_i <- sum_j d_ij theta_j / sum_j d_ij

Zhao et al., LLM-based Federated Recommendation, arXiv 2402.09959v2, and the authors' code. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fedrec.protocol.adapters import ITEMS_A, State
from fedrec.strategies.averaging import Met, weighted_sum

Exponent = Literal["intended", "code"]
Matrix = NDArray[np.float64]

# tanh(exp(4)) is 1 in float64; larger arguments would only overflow.
_SATURATED = 4.0

_NUMBERS = 20_000_000  # of item rows that are mixed at once
_FEW = 64  # clients; with 1,000, sums one by one took ten times as long as the whole round


def flatten(state: State) -> NDArray[np.float32]:
    """All tensors of a state as one vector (d,), in the order of their sorted keys."""
    return np.concatenate([state[key].ravel() for key in sorted(state)])


def similarity(vectors: NDArray[np.float32]) -> Matrix:
    """Pairwise (cos + 1) / 2 of n finite vectors (n, d): an (n, n) symmetric matrix in [0, 1] with unit diagonal.

    A zero vector (the update of a client without rows) has no direction: its cosine to the others is 0.
    """
    units = vectors.astype(np.float64)
    length = np.sqrt(np.einsum("id,id->i", units, units))[:, None]
    units /= np.where(length > 0, length, 1)
    cosines: Matrix = _product(units, units.T)
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


def mix(states: Sequence[State], weights: Matrix, met: Met = ()) -> list[State]:
    """New states: the i-th is sum_j weights[i, j] * states[j], all of them from `states` as they were handed in.

    The authors' code writes averages in place, so that later clients mix already mixed states; this does not.
    """
    if len(states) <= _FEW:
        return [weighted_sum(states, row, met) for row in weights]
    mixed: list[State] = [{} for _ in states]
    for key, first in states[0].items():
        if key == ITEMS_A and (known := [each for each in met if each is not None]):
            rows = _over_those_who_met([state[key] for state in states], weights, np.stack(known))
            for state, own in zip(mixed, rows, strict=True):
                state[key] = own
            continue
        stacked = np.stack([state[key].ravel() for state in states]).astype(np.float64)
        for state, row in zip(mixed, _product(weights, stacked).astype(np.float32), strict=True):
            state[key] = row.reshape(first.shape)
    return mixed


def _over_those_who_met(
    rows: Sequence[NDArray[np.float32]], weights: Matrix, met: NDArray[np.bool_]
) -> list[NDArray[np.float32]]:
    """As `weighted_sum` has it for each row of weights (n, n), of n times (items, r), of which (n, items) are met."""
    mixed = [np.empty_like(each) for each in rows]
    sums, step = weights.sum(1)[:, None], max(1, _NUMBERS // rows[0].shape[1] // len(rows))
    for low in range(0, len(rows[0]), step):
        part = np.stack([each[low : low + step] for each in rows]).astype(np.float64)
        here = met[:, low : low + step]
        counts = np.where(here.any(0), here, True).astype(np.float64)
        shares = _product(weights, counts)
        value = _product(weights, (part * counts[..., None]).reshape(len(rows), -1)).reshape(part.shape)
        value *= (sums / np.where(shares > 0, shares, 1))[..., None]
        if not shares.all():  # who takes nothing of those who met an item
            plain = _product(weights, part.reshape(len(rows), -1)).reshape(part.shape)
            value = np.where(shares[..., None] > 0, value, plain)
        for own, new in zip(mixed, value, strict=True):
            own[low : low + step] = new
    return mixed


def _product(a: Matrix, b: Matrix) -> Matrix:
    """a b, whose last bits do not depend on the number of threads: so of many rows by BLAS, but on one thread."""
    if len(a) <= _FEW:
        return np.asarray(np.einsum("id,dj->ij", a, b))
    with threadpool_limits(1):
        return np.asarray(a @ b)
