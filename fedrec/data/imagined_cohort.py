"""Imagined people for a real catalogue: they teach a base model how a history of likes reads, and know no real row.

A person likes a title by a bias of their own, a quality of the title, and the words they care for:
log-odds = bias_u + quality_i + sum over the title's words of taste_u(word), scaled to one standard deviation each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Catalogue, Interactions

PEOPLE, ROWS, WORDS = 1200, 40, 400
_WORD = re.compile(r"[^\W\d_]{3,}|\b(?:1[89]|20)\d(?=\d\b)")


def imagined_cohort(catalogue: Catalogue, seed: int, people: int = PEOPLE, rows: int = ROWS) -> Interactions:
    """`people` imagined persons over the titles of a catalogue, each with about `rows` answers in random order."""
    random = np.random.default_rng(seed)
    word_of = _common_words(catalogue.titles)
    quality = random.normal(0, 1, len(catalogue))
    count = np.minimum(random.integers(rows // 2, rows * 3 // 2 + 1, people), len(catalogue))
    user = np.repeat(np.arange(people), count)
    item = np.concatenate([random.choice(len(catalogue), n, replace=False) for n in count])
    taste = random.normal(0, 1, (people, len(word_of)))
    bias = random.normal(0, 1, people)
    liking = [
        np.einsum("f,nf->n", mine, _word_features([catalogue.titles[i] for i in items], word_of))
        for mine, items in zip(taste, np.split(item, np.cumsum(count)[:-1]), strict=True)
    ]
    logit = bias[user] + quality[item] + np.concatenate(liking)
    label = random.random(len(user)) < 1 / (1 + np.exp(-logit))
    return Interactions(
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        label=label.astype(np.int8),
        time=np.arange(len(user)),
        split=np.full(len(user), TRAIN, np.int8),
        user_ids=tuple(f"imagined-{i}" for i in range(people)),
    )


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
