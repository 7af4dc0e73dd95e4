"""Imagined people: deterministic, as many as asked, and their likes follow the words of titles, and learnt rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.imagined_cohort import imagined_cohort, rows_that_tell
from fedrec.metrics import auc


def catalogue(size: int) -> Catalogue:
    titles = [f"{('storm', 'river')[number % 2]} {number} ({1950 + number % 60})" for number in range(size)]
    return Catalogue(tuple(map(str, range(size))), tuple(titles))


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(1, 40), st.integers(1, 30), st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_any_catalogue_has_its_people(seed: int, rank: int, people: int, rows: int, size: int) -> None:
    found, again = (imagined_cohort(catalogue(size), seed, people, rank, rows) for _ in range(2))
    one, two = found.rows, again.rows
    for name in ("user", "item", "label", "time"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(found.chance, again.chance)
    np.testing.assert_array_equal(found.learnt, again.learnt)
    assert found.learnt.shape == (len(one), rank) and found.chance.shape == (len(one),)
    assert ((found.chance > 0) & (found.chance < 1)).all()
    assert len(one.user_ids) == people
    assert one.item.max(initial=0) < size
    pairs = one.user.astype(np.int64) * size + one.item
    assert len(np.unique(pairs)) == len(pairs)
    assert np.bincount(one.user, minlength=people).max() <= min(size, rows * 3 // 2)


def test_no_title_has_a_quality_of_its_own() -> None:
    """Whoever learns titles by heart learns nothing: their like-rates differ as those of shuffled answers do."""
    rows = imagined_cohort(Catalogue(tuple(map(str, range(40))), ("?",) * 40), 1, people=1500, rows=30).rows
    mine = rows.label - np.bincount(rows.user, rows.label)[rows.user] / np.bincount(rows.user)[rows.user]
    spread = [np.std(np.bincount(item, mine) / np.bincount(item)) for item in _and_shuffled(rows.item, 20)]
    assert spread[0] < 1.15 * np.max(spread[1:])


def test_a_history_tells_what_comes_next() -> None:
    """Levels show in a person's rate, and moods in that recent answers tell more than early ones."""
    rows = imagined_cohort(catalogue(300), 2, people=2000, rows=40).rows
    last = np.flatnonzero(np.diff(rows.user, append=-1))
    last = last[np.bincount(rows.user) >= 31]
    near, far = (rows.label[last[:, None] - np.arange(low, low + 10)].mean(1) for low in (1, 21))
    near_auc, far_auc = (auc(rate, rows.label[last]) for rate in (near, far))
    assert far_auc > 0.65
    assert near_auc > far_auc + 0.02


def test_titles_without_common_words_are_well() -> None:
    assert len(imagined_cohort(Catalogue(("a", "b"), ("?", "冒")), 0, people=5, rows=2).rows)


def test_a_person_judges_titles_of_one_word_alike() -> None:
    rows = imagined_cohort(catalogue(60), 0, people=1500, rows=40).rows
    mine, chance = (_apart(rows, kind) for kind in _and_shuffled(rows.item % 2, 1))
    assert mine > 1.05 * chance


@pytest.mark.parametrize("rank", [0, 4])
def test_of_those_with_a_chance_so_many_like(rank: int) -> None:
    cohort = imagined_cohort(catalogue(200), 3, 1500, rank)
    by_chance = np.array_split(np.argsort(cohort.chance), 10)
    liked, chance = (np.array([of[part].mean() for part in by_chance]) for of in (cohort.rows.label, cohort.chance))
    np.testing.assert_allclose(liked, chance, atol=0.03)
    assert chance[-1] - chance[0] > 0.5


def test_a_learnt_row_says_first_how_a_title_is_liked_by_all_and_then_by_whom() -> None:
    cohort = imagined_cohort(catalogue(200), 4, people=500, rank=3, rows=120)
    label, learnt, user = cohort.rows.label, cohort.learnt, cohort.rows.user
    rises = [label[z > 0.5].mean() - label[z < -0.5].mean() for z in learnt.T]
    assert rises[0] > 0.15
    assert np.abs(rises[1:]).max() < 0.05
    rest = label - (np.bincount(user, label) / np.bincount(user))[user]
    mine, chance = (  # how far apart persons are in what they make of such a number, and of any number
        np.std([np.bincount(user, rest * z[:, number]) for number in (1, 2)]) for z in _and_shuffled(learnt, 1)
    )
    assert mine > 1.06 * chance


def test_some_titles_nobody_has_met_yet() -> None:
    cohort = imagined_cohort(catalogue(200), 5, 1500, rank=2)
    unmet = ~cohort.learnt.any(1)
    assert 0.2 < unmet.mean() < 0.35
    nothing = np.bincount(cohort.rows.user, ~unmet, 1500) == 0
    assert 0.07 < nothing.mean() < 0.13


def test_rows_of_known_answers_add_their_first_number_to_whatever_else_is_known() -> None:
    """The regression of an answer on z, of two kinds of answers that are liked unlike, has slopes 1, 0, 0."""
    random, n, rates = np.random.default_rng(6), 60_000, np.array([0.25, 0.7])
    kind = random.integers(0, 2, n)
    label = (random.random(n) < rates[kind]).astype(np.int8)
    z = rows_that_tell(label, 3, random)
    assert z.shape == (n, 3) and z.dtype == np.float32
    assert rows_that_tell(label, 0, random).shape == (n, 0)
    known, weights = np.column_stack([kind == 0, kind == 1, z]).astype(float), np.zeros(5)
    for _ in range(8):  # Newton's steps
        p = 1 / (1 + np.exp(-known @ weights))
        weights += np.linalg.solve(known.T @ (known * (p * (1 - p))[:, None]), known.T @ (label - p))
    np.testing.assert_allclose(weights, [*np.log(rates / (1 - rates)), 1, 0, 0], atol=0.07)
    assert 0.15 < 1 - z.any(1).mean() < 0.25, "some titles nobody has met"


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
