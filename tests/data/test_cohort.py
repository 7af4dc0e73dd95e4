"""Imagined people: deterministic, as many as asked, and their likes follow the words of titles."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.cohort import imagined_cohort
from fedrec.data.table import Catalogue


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
