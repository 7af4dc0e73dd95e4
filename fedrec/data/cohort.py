"""Imagined people for a real catalogue: they teach a base model how a history of likes reads, and know no real row.

A person likes a title by a bias of their own, a quality of the title, and the words they care for:
log-odds = bias_u + quality_i + sum over the title's words of taste_u(word), scaled to one standard deviation each.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from fedrec.data.table import TRAIN, Catalogue, Interactions, sort_rows

PEOPLE, ROWS, WORDS = 1200, 40, 400


def imagined_cohort(catalogue: Catalogue, seed: int, people: int = PEOPLE, rows: int = ROWS) -> Interactions:
    """`people` imagined persons over the titles of a catalogue, each with about `rows` answers in random order."""
    random = np.random.default_rng(seed)
    features = _word_features(catalogue.titles)
    quality = random.normal(0, 1, len(catalogue))
    count = np.minimum(random.integers(rows // 2, rows * 3 // 2 + 1, people), len(catalogue))
    user = np.repeat(np.arange(people), count)
    item = np.concatenate([random.choice(len(catalogue), n, replace=False) for n in count])
    taste = random.normal(0, 1, (people, features.shape[1]))
    logit = random.normal(0, 1, people)[user] + quality[item] + np.einsum("nf,nf->n", taste[user], features[item])
    label = random.random(len(user)) < 1 / (1 + np.exp(-logit))
    return sort_rows(
        user.astype(np.int32), item.astype(np.int32), label.astype(np.int8), np.arange(len(user)),
        np.full(len(user), TRAIN, np.int8), tuple(f"imagined-{i}" for i in range(people)),
    )  # fmt: skip


def _word_features(titles: tuple[str, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(items, words) of the commonest words and decades, each row of length 1 or 0."""
    words = [set(re.findall(r"[^\W\d_]{3,}|\b(?:1[89]|20)\d(?=\d\b)", title.lower())) for title in titles]
    common = [word for word, _ in Counter(word for row in words for word in sorted(row)).most_common(WORDS)]
    features = np.array([[word in row for word in common] for row in words], float).reshape(len(titles), len(common))
    unit: np.ndarray[tuple[int, int], np.dtype[np.float64]] = features / np.maximum(
        np.linalg.norm(features, axis=1, keepdims=True), 1
    )
    return unit
