"""Imagined people: deterministic, as many as asked, and their likes follow the words of titles."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data import imagined_cohort as cohort
from fedrec.data.dataset import Catalogue
from fedrec.data.imagined_cohort import imagined_cohort


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


def test_likes_are_those_of_a_whole_table_of_titles_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded base is known by its recipe: another way to make its people must not move one of them."""
    monkeypatch.setattr(cohort, "WORDS", 6)
    titles = [f"{('storm', 'river', 'heart')[n % 3]} of {('night', 'city')[n % 2]} ({1930 + n})" for n in range(70)]
    made = imagined_cohort(Catalogue(tuple(map(str, range(70))), tuple(titles)), 3, 30, 12)
    words = [set(re.findall(r"[^\W\d_]{3,}|\b(?:1[89]|20)\d(?=\d\b)", title)) for title in titles]
    common = [word for word, _ in Counter(word for row in words for word in sorted(row)).most_common(6)]
    table = np.array([[word in row for word in common] for row in words], float)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1)
    random = np.random.default_rng(3)
    quality, count = random.normal(0, 1, 70), random.integers(6, 19, 30)
    user = np.repeat(np.arange(30), count)
    item = np.concatenate([random.choice(70, n, replace=False) for n in count])
    taste = random.normal(0, 1, (30, 6))
    logit = random.normal(0, 1, 30)[user] + quality[item] + np.einsum("nf,nf->n", taste[user], table[item])
    np.testing.assert_array_equal(made.item, item)
    np.testing.assert_array_equal(made.label, random.random(len(user)) < 1 / (1 + np.exp(-logit)))


def test_titles_without_common_words_are_well() -> None:
    assert len(imagined_cohort(Catalogue(("a", "b"), ("?", "冒")), 0, 5, 2))


def test_a_person_judges_titles_of_one_word_alike() -> None:
    rows = imagined_cohort(catalogue(60), 0, people=600, rows=40)
    agreement = []
    for person in range(600):
        mine = rows.user == person
        rates = [rows.label[mine & (rows.item % 2 == kind)].mean() for kind in (0, 1)]
        agreement.append(abs(rates[0] - rates[1]))
    shuffled = np.random.default_rng(0).permutation(60)[rows.item] % 2
    chance = [
        abs(rows.label[mine & (shuffled == 0)].mean() - rows.label[mine & (shuffled == 1)].mean())
        for mine in (rows.user == person for person in range(600))
    ]
    assert np.mean(agreement) > 1.3 * np.mean(chance)
