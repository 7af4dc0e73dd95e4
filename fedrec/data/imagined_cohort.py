"""Imagined people for a catalogue: they teach a base model how a history of likes reads, and know no real row.

What is imagined can only be read off the history at hand, because it is drawn anew for every person and every answer
(a prior, as in prior-data fitted networks): no title has a quality that a model could learn by heart. With w the words
of the title, of length 1, and z the row that an adapter has learnt of it, log-odds of the answer t of person u are

    level_u + mood_u(t) + taste_u · w + quality_u z'_1 + liking_u · z'_2.. + noise,
    mood_u(t) = c_u mood_u(t - 1) + √(1 - c_u²) N(0, s_u²)

People differ in everything: how much they like (level), how strongly (s) and for how long (c) a mood lasts, and how
much they care for words and rows. z is drawn for every answer too, and is what is known of the truth z': some titles
nobody has met yet. So a base learns to read rows that are to be learnt later: z_1 is the title's log-odds, others what
some like and some do not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Catalogue, Interactions

ROWS, WORDS = 40, 400
LEVEL, NOISE = (0.4, 1.5), 0.7  # mean and standard deviation over people; standard deviation of an answer
MOOD, LASTING = 1.0, (0.6, 0.97)  # moods are |N(0, MOOD)| strong, and c is uniform
TASTES = (0.0, 0.3, 0.8)  # how strongly a person cares for words
EFFECT, QUALITY = 0.8, (0.6, 1.4)  # standard deviation of z'_1; how much it counts with a person, uniform
LIKING = 0.4  # |N(0, LIKING)| is how strongly a person cares for z'_2 and on
KNOWN, UNMET, NOTHING = (0.2, 1.0), 0.2, 0.1  # of z', in standard deviations; part of answers, and people, without
_WORD = re.compile(r"[^\W\d_]{3,}|\b(?:1[89]|20)\d(?=\d\b)")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ImaginedCohort:
    """
    Attributes:
        rows: n answers.
        chance: (n,) the probability of a like by all but noise and what is not known of z'.
        learnt: (n, r) z, each answer's own.
    """

    rows: Interactions
    chance: Values
    learnt: NDArray[np.float32]


def imagined_cohort(catalogue: Catalogue, seed: int, people: int, rank: int = 0, rows: int = ROWS) -> ImaginedCohort:
    """`people` imagined persons over the titles of a catalogue, each with about `rows` answers in random order.

    Args:
        rank: r of the rows that adapters learn; 0 = titles have none.
    """
    random = np.random.default_rng(seed)
    word_of = _common_words(catalogue.titles)
    count = np.minimum(random.integers(rows // 2, rows * 3 // 2 + 1, people), len(catalogue))
    user, starts = np.repeat(np.arange(people), count), np.cumsum(count) - count
    item = np.concatenate([random.choice(len(catalogue), n, replace=False) for n in count])
    level, strength = random.normal(*LEVEL, people), random.choice(TASTES, people)
    moods = _moods(people, int(count.max(initial=0)), random)[user, np.arange(len(user)) - np.repeat(starts, count)]
    tastes = [
        _word_features([catalogue.titles[i] for i in items], word_of) @ random.normal(0, 1, len(word_of)) * much
        for much, items in zip(strength, np.split(item, starts[1:]), strict=True)
    ]
    learnt, by_rows, spread = _rows(user, people, rank, random)
    logit = level[user] + moods + np.concatenate(tastes) + by_rows
    spread = np.hypot(spread, NOISE)
    label = random.random(len(user)) < _probability(logit + random.normal(0, 1, len(user)) * spread)
    found = Interactions(
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        label=label.astype(np.int8),
        time=np.arange(len(user)),
        split=np.full(len(user), TRAIN, np.int8),
        user_ids=tuple(f"imagined-{i}" for i in range(people)),
    )
    return ImaginedCohort(found, _probability(logit / np.sqrt(1 + np.pi / 8 * spread**2)), learnt)


def rows_that_tell(label: NDArray[np.int8], rank: int, random: np.random.Generator) -> NDArray[np.float32]:
    """(n, r) z for answers (n,) of people who are not imagined, as if their titles' rows had been learnt.

    z_1 is drawn given the answer y, from N(0, s²) times the logistic function of z_1 (2 y - 1): whatever else is known
    of an answer, its log-odds are then z_1 more (Bayes' rule). Others say nothing.
    """
    z = random.normal(0, 1, (len(label), rank)) * _known(len(label), random)[:, None]
    if rank:
        z[:, 0] *= EFFECT
        agrees = random.random(len(label)) < _probability(np.abs(z[:, 0]))
        z[:, 0] = np.abs(z[:, 0]) * np.where(agrees == (label == 1), 1, -1)
    return z.astype(np.float32)


def _known(answers: int, random: np.random.Generator) -> Values:
    """(n,) how much of each title is known, as a part of a standard deviation."""
    return random.uniform(*KNOWN, answers) * (random.random(answers) >= UNMET)


def _rows(
    user: NDArray[np.int64], people: int, rank: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], Values, Values]:
    """Each answer's z (n, r); what of the log-odds (n,) is by it, and the spread (n,) by what is not known of z'."""
    size = np.array([EFFECT, *[1.0] * (rank - 1)][:rank])
    known = _known(len(user), random)
    known *= (random.random(people) >= NOTHING)[user]
    z = random.normal(0, size, (len(user), rank)) * known[:, None]
    cares = random.normal(0, 1, (people, rank)) * np.abs(random.normal(0, LIKING, (people, 1)))
    cares[:, :1] = random.uniform(*QUALITY, (people, 1))
    spread = np.sqrt((1 - known**2) * (((cares * size) ** 2).sum(1))[user])
    return z.astype(np.float32), (z * cares[user]).sum(1), spread


def _probability(logit: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-logit)), np.float64)


def _moods(people: int, rows: int, random: np.random.Generator) -> Values:
    """(people, rows): each person's moods, in time order."""
    size, lasting = np.abs(random.normal(0, MOOD, people)), random.uniform(*LASTING, people)
    found = random.normal(0, 1, (rows, people)) * size
    for row in range(1, rows):
        found[row] = lasting * found[row - 1] + np.sqrt(1 - lasting**2) * found[row]
    return found.T


def _common_words(titles: Sequence[str]) -> dict[str, int]:
    """The commonest words and decades, each with its place among them."""
    counts = Counter(word for title in titles for word in sorted(_words(title)))
    return {word: place for place, (word, _) in enumerate(counts.most_common(WORDS))}


def _word_features(titles: Sequence[str], place: Mapping[str, int]) -> NDArray[np.float64]:
    """(items, words) of the words that have a place, each row of length 1 or 0."""
    features = np.zeros((len(titles), len(place)))
    for row, title in zip(features, titles, strict=True):
        row[[place[word] for word in _words(title) if word in place]] = 1
    unit: NDArray[np.float64] = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1)
    return unit


def _words(title: str) -> set[str]:
    return set(_WORD.findall(title.lower()))
