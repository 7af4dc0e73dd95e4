"""Membership inference by a likelihood ratio (LiRA, Carlini et al., IEEE S&P 2022, arXiv 2112.03570).

    phi = log(p / (1 - p)),  p the probability that a model gave to what happened
    score of a row = log N(phi; mu_in, sigma_in) - log N(phi; mu_out, sigma_out)

mu and sigma are of phi by shadow models that were taught by the row's person (in), or were not (out). With few shadow
models one sigma serves all rows, as the paper has it. Pure functions on arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.metrics import Scores

FEW = 64  # shadow models below which the rows share their spread
_LEAST = 1e-7


def halves(people: int, count: int, seed: int) -> NDArray[np.bool_]:
    """(count, people) who teaches each of so many shadow models: half of them each, and each person half of the models.

    The second of two models has whom the first has not, so that everybody has models on both sides.
    """
    random = np.random.default_rng(seed)
    inside = np.zeros((count, people), bool)
    for number in range(0, count, 2):
        inside[number, random.permutation(people)[: people // 2]] = True
        if number + 1 < count:
            inside[number + 1] = ~inside[number]
    return inside


def confidence(log_likelihood: Scores) -> Scores:
    """phi of log p, at most 0."""
    p = np.clip(np.exp(log_likelihood), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(p) - np.log1p(-p))


def likelihood_ratio(target: Scores, shadows: Scores, inside: NDArray[np.bool_]) -> Scores:
    """(n,) how much likelier each row's confidence is of a model that it taught; higher = more like a member.

    Args:
        target: (n,) confidences by the model that is attacked.
        shadows: (K, n) by shadow models.
        inside: (K, n) whether the row taught the model; every row on both sides at least once.

    Raises:
        ValueError: a row is on one side alone.
    """
    if not (inside.any(0) & ~inside.all(0)).all():
        raise ValueError("a row taught every shadow model or none: there is nothing to compare")
    return np.asarray(_log_normal(target, shadows, inside) - _log_normal(target, shadows, ~inside))


def in_turn(confidences: Scores, inside: NDArray[np.bool_]) -> Scores:
    """(K, n) the likelihood ratio of each of K models, attacked with the others as its shadow models.

    Args:
        confidences: (K, n) by each model.
        inside: (K, n) whom each was taught by; of any K - 1 models each is in one, and not in another.
    """
    others = [np.arange(len(inside)) != k for k in range(len(inside))]
    turns = zip(confidences, others, strict=True)
    return np.stack([likelihood_ratio(each, confidences[rest], inside[rest]) for each, rest in turns])


def _log_normal(target: Scores, shadows: Scores, chosen: NDArray[np.bool_]) -> Scores:
    count = chosen.sum(0)
    mean = np.where(chosen, shadows, 0).sum(0) / count
    squares = np.where(chosen, (shadows - mean) ** 2, 0)
    shared = squares.sum() / max(count.sum() - len(count), 1)
    variance = squares.sum(0) / np.maximum(count - 1, 1) if len(shadows) >= FEW else np.full(len(mean), shared)
    variance = np.maximum(variance, _LEAST)
    return np.asarray(-0.5 * (np.log(2 * np.pi * variance) + (target - mean) ** 2 / variance))
