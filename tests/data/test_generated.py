"""The generated world: deterministic, with known truth, the faults of real data, and something to learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.dataset import TEST, TRAIN
from fedrec.data.films import ADJECTIVES, FORMS, GENRES, NEW_SINCE, make_films
from fedrec.data.generated import World, make_world
from fedrec.data.load import load_dataset
from fedrec.data.trivial import trivial_auc
from fedrec.data_settings import DataConfig, WorldConfig
from fedrec.metrics import auc


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(WorldConfig())


@given(st.integers(0, 2**32), st.integers(10, 40), st.integers(50, 90), st.integers(5, 20), st.integers(10, 40))
@settings(max_examples=20, deadline=None)
def test_any_world_is_as_large_as_asked(seed: int, users: int, items: int, rows: int, cohort: int) -> None:
    world = make_world(WorldConfig(seed=seed, users=users, items=items, rows=rows, cohort=cohort))
    private = world.private.interactions
    assert len(world.private.catalogue) == items
    assert len(private.user_ids) == len(np.unique(private.user)) == users
    assert len(world.cohort.user_ids) == len(np.unique(world.cohort.user)) == cohort
    for people in (private, world.cohort):
        assert (people.split == TRAIN).all()
        pairs = people.user.astype(np.int64) * items + people.item
        assert len(np.unique(pairs)) == len(pairs), "nobody rates a film twice"


@given(st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_a_seed_gives_one_world(seed: int) -> None:
    config = WorldConfig(seed=seed, users=12, items=60, rows=6, cohort=12)
    one, two = make_world(config), make_world(config)
    other = make_world(config.model_copy(update={"seed": seed + 1}))
    assert one.private.catalogue == two.private.catalogue
    assert one.text == two.text
    for name in ("user", "item", "label", "time", "truth"):
        np.testing.assert_array_equal(getattr(one.private.interactions, name), getattr(two.private.interactions, name))
        np.testing.assert_array_equal(getattr(one.cohort, name), getattr(two.cohort, name))
    assert one.private.catalogue != other.private.catalogue


def test_the_mean_number_of_rows_is_as_asked(world: World) -> None:
    for people, count in ((world.private.interactions, 240), (world.cohort, 3000)):
        assert len(people.user_ids) == count
        assert len(people) / count == pytest.approx(40, rel=0.1)


def test_labels_follow_the_truth(world: World) -> None:
    people = world.cohort
    assert people.truth is not None
    for low in np.arange(0, 1, 0.1):
        rows = (people.truth >= low) & (people.truth < low + 0.1)
        expected, spread = people.truth[rows].mean(), np.sqrt(0.25 / rows.sum())
        assert abs(people.label[rows].mean() - expected) < 4 * spread


def test_it_holds_the_faults_of_real_data(world: World) -> None:
    people, titles = world.private.interactions, world.private.catalogue.titles
    same_person = np.diff(people.user) == 0
    assert max(Counter(titles).values()) > 1, "titles repeat"
    assert any(not title.isascii() for title in titles)
    assert 0.1 < (np.diff(people.time)[same_person] == 0).mean() < 0.9, "some times are tied"
    assert (np.bincount(people.user) == 1).any(), "somebody has one row only"


def test_films_of_one_title_are_of_one_kind() -> None:
    films = make_films(2000, np.random.default_rng(0))
    first: dict[str, int] = {}
    for film, title in enumerate(films.catalogue.titles):
        model = first.setdefault(title, film)
        assert films.year[model] == films.year[film]
        assert films.genre[model] == films.genre[film]


def test_a_title_carries_genre_and_year() -> None:
    films = make_films(300, np.random.default_rng(0))
    parts = list(GENRES.values())
    for film, title in enumerate(films.catalogue.titles):
        assert title.endswith(f" ({films.year[film]})")
        newer = int(films.year[film] >= NEW_SINCE)
        assert title.split(" (")[0].split()[-1] in parts[films.genre[film]][newer].split()


def test_newer_films_have_words_of_their_own() -> None:
    for older, newer in [*GENRES.values(), tuple(" ".join(kind) for kind in ADJECTIVES)]:
        assert not set(older.split()) & set(newer.split())
    assert any("{adjective}" in form for form in FORMS)


def test_the_public_knows_nothing_of_newer_films_or_private_people(world: World) -> None:
    films = make_films(WorldConfig().items, np.random.default_rng(WorldConfig().seed))
    assert films.catalogue == world.private.catalogue
    assert (films.year[world.cohort.item] < NEW_SINCE).all()
    assert (films.year[world.private.interactions.item] >= NEW_SINCE).mean() > 0.1
    newer = {title for title, year in zip(films.catalogue.titles, films.year, strict=True) if year >= NEW_SINCE}
    assert not any(text.startswith(tuple(newer)) for text in world.text)
    assert not set(world.cohort.user_ids) & set(world.private.interactions.user_ids)
    assert all(name.startswith("public-") for name in world.cohort.user_ids)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_there_is_more_to_learn_than_trivial_scorers_find(seed: int) -> None:
    rows = load_dataset(DataConfig(world=WorldConfig(seed=seed)), 42).interactions
    test = rows.split == TEST
    assert rows.truth is not None
    best = auc(rows.truth[test], rows.label[test])
    assert 0.78 < best < 0.86
    for name, value in trivial_auc(rows, test).items():
        assert 0.53 < value < 0.5 + 0.75 * (best - 0.5), name
