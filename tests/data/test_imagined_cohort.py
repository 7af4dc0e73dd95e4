"""Imagined people: deterministic, as many as asked, and their likes follow the words of titles."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.imagined_cohort import imagined_cohort
from fedrec.metrics import auc


def catalogue(size: int) -> Catalogue:
    titles = [f"{('storm', 'river')[number % 2]} {number} ({1950 + number % 60})" for number in range(size)]
    return Catalogue(tuple(map(str, range(size))), tuple(titles))


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 30), st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_any_catalogue_has_its_people(seed: int, people: int, rows: int, size: int) -> None:
    one, two = (imagined_cohort(catalogue(size), seed, people, rows) for _ in range(2))
    for name in ("user", "item", "label", "time"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert len(one.user_ids) == people
    assert one.item.max(initial=0) < size
    pairs = one.user.astype(np.int64) * size + one.item
    assert len(np.unique(pairs)) == len(pairs)
    assert np.bincount(one.user, minlength=people).max() <= min(size, rows * 3 // 2)


def test_no_title_has_a_quality_of_its_own() -> None:
    """Whoever learns titles by heart learns nothing: their like-rates differ as those of shuffled answers do."""
    rows = imagined_cohort(Catalogue(tuple(map(str, range(40))), ("?",) * 40), 1, people=1500, rows=30)
    mine = rows.label - np.bincount(rows.user, rows.label)[rows.user] / np.bincount(rows.user)[rows.user]
    spread = [np.std(np.bincount(item, mine) / np.bincount(item)) for item in _and_shuffled(rows.item, 20)]
    assert spread[0] < 1.15 * np.max(spread[1:])


def test_a_history_tells_what_comes_next() -> None:
    """Levels show in a person's rate, and moods in that recent answers tell more than early ones."""
    rows = imagined_cohort(catalogue(300), 2, people=2000, rows=40)
    last = np.flatnonzero(np.diff(rows.user, append=-1))
    last = last[np.bincount(rows.user) >= 31]
    near, far = (rows.label[last[:, None] - np.arange(low, low + 10)].mean(1) for low in (1, 21))
    near_auc, far_auc = (auc(rate, rows.label[last]) for rate in (near, far))
    assert far_auc > 0.65
    assert near_auc > far_auc + 0.02


def test_titles_without_common_words_are_well() -> None:
    assert len(imagined_cohort(Catalogue(("a", "b"), ("?", "冒")), 0, 5, 2))


def test_a_person_judges_titles_of_one_word_alike() -> None:
    rows = imagined_cohort(catalogue(60), 0, people=1500, rows=40)
    mine, chance = (_apart(rows, kind) for kind in _and_shuffled(rows.item % 2, 1))
    assert mine > 1.05 * chance


def _apart(rows: Interactions, kind: np.ndarray) -> float:
    """How far, on average, a person's like-rates of two kinds of title are apart."""
    found = []
    for person in range(len(rows.user_ids)):
        mine = rows.user == person
        found.append(abs(rows.label[mine & (kind == 0)].mean() - rows.label[mine & (kind == 1)].mean()))
    return float(np.mean(found))


def _and_shuffled(values: np.ndarray, times: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [values, *(random.permutation(values) for _ in range(times))]
