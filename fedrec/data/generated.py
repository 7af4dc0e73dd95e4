"""The generated world: people with tastes that drift, over generated films, with the true like-probability of each row.

log-odds of a like of film i by person u, a part τ in [0, 1] of the way through u's timeline:

    bias_u + quality_i + taste_u(τ) · mood_i,    taste_u(τ) = cos(φ_u τ) first_u + sin(φ_u τ) last_u

The private people watch the whole catalogue in 2020. The public cohort did the same in 2000, so it knows nothing of
films since: what their words mean is to be learnt from private rows only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Dataset, Interactions
from fedrec.data.films import NEW_SINCE, Films, make_films
from fedrec.data_settings import WorldConfig

ONCE = 0.03  # part of the people with a single row
BURST = 0.3  # part of the rows that share their second with the row before
YEAR_SECONDS = 31_536_000
IN_2020, IN_2000 = 1_577_836_800, 946_684_800  # Unix seconds; timelines begin in the half-year after them
BIAS = 1.0  # standard deviation of a person's own log-odds of a like
TASTE = 0.9  # typical length of a taste for genres
DRIFT = np.pi / 3  # largest turn of a taste for genres over a timeline
ERA = 0.4  # standard deviation of a taste for newer films

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """What the generator knows.

    Attributes:
        private: the data of the clients' people, with `truth`; every row in split train.
        cohort: public people over the same catalogue, with ids "public-…"; they are in no client.
        text: public descriptions of the older films.
    """

    private: Dataset
    cohort: Interactions
    text: tuple[str, ...]


def make_world(config: WorldConfig) -> World:
    """The world of a configuration; the same on every machine."""
    random = np.random.default_rng(config.seed)
    films = make_films(config.items, random)
    everything = np.arange(config.items)
    older = np.flatnonzero(films.year < NEW_SINCE)
    people = make_people(films, everything, "user", (config.users, config.rows), IN_2020, random)
    cohort = make_people(films, older, "public", (config.cohort, config.rows), IN_2000, random)
    return World(
        Dataset("generated", people, films.catalogue, notes=(f"generated world, seed {config.seed}",)),
        cohort,
        films.descriptions,
    )


def make_people(
    films: Films, offered: NDArray[np.intp], prefix: str, size: tuple[int, int], epoch: int, random: np.random.Generator
) -> Interactions:
    """Timelines of people "prefix-0000", ...

    Args:
        offered: (o,) items that these people could see.
        size: number of people, and of rows they have on average.
    """
    count, rows = size
    length = _lengths(count, rows, len(offered), random)
    user = np.repeat(np.arange(count), length)
    starts = np.cumsum(length) - length
    step = np.arange(len(user)) - np.repeat(starts, length)

    popularity = -0.5 * np.log1p(random.permutation(len(offered)))
    keys = popularity - np.log(-np.log(random.random((count, len(offered)))))  # Gumbel: weighted, without repetition
    item = offered[np.argsort(-keys, axis=1)[user, step]]

    progress = step / np.repeat(np.maximum(length - 1, 1), length)
    score = random.normal(0, BIAS, count)[user] + films.quality[item]
    score += np.einsum("nd,nd->n", _tastes(count, user, progress, random), films.mood[item])
    truth = np.round(1 / (1 + np.exp(-score)), 6)  # rounded, so that no machine's last bit decides a label
    label = (random.random(len(user)) < truth).astype(np.int8)
    return Interactions(
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        label=label,
        time=epoch + _times(user, step, random),
        split=np.full(len(user), TRAIN, dtype=np.int8),
        user_ids=tuple(f"{prefix}-{number:04d}" for number in range(count)),
        truth=truth,
    )


def _lengths(count: int, mean: int, most: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(count,) rows a person has: skewed, with the given mean; some have one only."""
    spread = 0.5
    length = np.exp(random.normal(np.log(mean / (1 - ONCE)) - spread**2 / 2, spread, count))
    length[random.random(count) < ONCE] = 1
    length[0] = 1
    return np.clip(np.rint(length), 1, most).astype(np.int64)


def _tastes(count: int, user: NDArray[np.int64], progress: Array, random: np.random.Generator) -> Array:
    """(n, 3) each row's taste: a direction on the ring of genres that turns with time, and a liking of eras."""
    angle = random.uniform(0, 2 * np.pi, count)
    turn = random.uniform(-DRIFT, DRIFT, count)
    strength = TASTE * np.exp(random.normal(-0.08, 0.4, count))
    era = random.normal(0, ERA, count)
    now = angle[user] + turn[user] * progress
    return np.stack([strength[user] * np.cos(now), strength[user] * np.sin(now), era[user]], axis=1)


def _times(user: NDArray[np.int64], step: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """(n,) seconds, rising along each timeline, with bursts in which several rows share a second."""
    gap = 1 + np.floor(random.exponential(200_000, len(user))).astype(np.int64)
    gap[random.random(len(user)) < BURST] = 0
    start = random.integers(0, YEAR_SECONDS // 2, user[-1] + 1)
    total = np.cumsum(gap)
    first = step == 0
    times: NDArray[np.int64] = start[user] + total - total[first][user]
    return times
