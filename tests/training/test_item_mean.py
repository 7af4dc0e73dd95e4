"""Item rows averaged round by round end where all answers in one place would put them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.title_effects import title_effects, unexplained
from fedrec.models.adapter import to_arrays, to_state
from fedrec.protocol.adapters import ITEMS_A, KNOWN, ROWS, State
from fedrec.protocol.item_precision import Known, Precision, known_of, without_known
from fedrec.protocol.item_rows import items_of, rows_of
from fedrec.strategies.averaging import weighted_mean
from fedrec.training.item_mean import from_mean, towards_all
from fedrec.training.item_start import answers_by_item, titles_told, with_item_rows
from fedrec.training.step import Learning
from tests.models.tiny import tiny_model
from tests.training.test_item_start import ITEMS, LORA, START, learning, lesson, people

ROUNDS = 40
EVERY = np.arange(ITEMS, dtype=np.int32)
Timelines = Mapping[str, Sequence[tuple[int, int]]]


def of(timelines: Timelines, start: State, round_: int, clients: int) -> Learning:
    told = learning(lesson(timelines, round=round_, clients=clients), item_prior=1.0)
    return Learning(told.model, told.lora, to_state(start), told.lesson, told.config)


def averaged(groups: Sequence[Timelines], rounds: int, asked: Sequence[Sequence[int]] = ()) -> State:
    """The mean after some rounds in which nothing else is learnt, of all groups or of those that are asked."""
    mean, known = to_arrays(START), None
    for number in range(rounds):
        who = asked[number % len(asked)] if asked else range(len(groups))
        sent, counted = [], []
        for group in (groups[k] for k in who):
            told = of(group, mean, number, len(groups))
            begun = with_item_rows(told) if known is None else from_mean(told, known)
            trained = begun.start if known is None else towards_all(begun, begun.start, len(who) / len(groups))
            sent.append(to_arrays(trained))
            answers = answers_by_item(begun)
            assert answers is not None
            counted.append(Precision(answers, 1.0 / len(groups)))
        mean, known = without_known(weighted_mean(sent, [1] * len(sent), counted))
    return mean


def parts(timelines: Timelines, sizes: Sequence[int]) -> list[Timelines]:
    names, cuts = list(timelines), np.cumsum([0, *sizes])
    return [{name: timelines[name] for name in names[a:b]} for a, b in itertools.pairwise(cuts)]


def together(timelines: Timelines) -> np.ndarray:
    told = titles_told(of(timelines, to_arrays(START), 0, 1))
    assert told is not None
    found = np.zeros(ITEMS)
    found[told[0]] = told[1].effect
    return found - found.mean()


@pytest.mark.parametrize("sizes", [(9,), (5, 4), (1, 6, 2)])
def test_means_end_where_all_answers_are_in_one_place(sizes: Sequence[int]) -> None:
    """But for each group's level, which is its people's: a title that only one has met keeps that group's."""
    everybody = people()
    mean = averaged(parts(everybody, sizes), ROUNDS)
    rows = rows_of(mean, EVERY)[:, 0]
    wanted = together(everybody)
    assert np.corrcoef(rows, wanted)[0, 1] > 0.995
    once = rows_of(averaged(parts(everybody, sizes), 1), EVERY)[:, 0]
    if len(sizes) > 1:
        assert np.abs(rows - rows.mean() - wanted).max() < np.abs(once - once.mean() - wanted).max()
    else:
        np.testing.assert_allclose(rows - rows.mean(), wanted, atol=0.02)


def test_who_is_asked_late_has_its_say() -> None:
    everybody = people()
    groups = parts(everybody, (5, 4))
    late = rows_of(averaged(groups, 60, asked=([0], [0, 1], [1], [0, 1])), EVERY)[:, 0]
    alone = rows_of(averaged(groups[:1], 1), EVERY)[:, 0]
    wanted = together(everybody)
    assert np.corrcoef(late, wanted)[0, 1] > max(0.9, np.corrcoef(alone, wanted)[0, 1])


def test_an_answers_own_share_is_what_leaving_it_out_changes() -> None:
    everybody = people(40)
    told = of(everybody, to_arrays(START), 1, 2)
    found = titles_told(of(everybody, to_arrays(START), 0, 1))
    answers = answers_by_item(told)
    assert found is not None and answers is not None
    mean = {**to_arrays(with_item_rows(of(everybody, to_arrays(START), 0, 1)).start)}
    known: Known = (answers[0], Precision(answers, 1.0).of(answers[0]).astype(np.float32))
    own = from_mean(of(everybody, mean, 1, 2), known).own
    assert own is not None
    assert np.corrcoef(own, found[1].own)[0, 1] > 0.99
    np.testing.assert_allclose(own[own != 0], found[1].own[own != 0], rtol=0.35)


def test_who_knows_nothing_of_a_title_says_nothing_of_it() -> None:
    """Its row is the prior's mode: none. With a part of the clients it goes there by that part."""
    begun = with_item_rows(of(people(), to_arrays(START), 0, 2))
    few = {name: rows[:4] for name, rows in list(people().items())[:1]}
    told = of(few, to_arrays(begun.start), 1, 2)
    met = answers_by_item(told)
    assert met is not None
    assert items_of(to_arrays(towards_all(told, begun.start, 1.0))).tolist() == met[0].tolist()
    half = to_arrays(towards_all(told, begun.start, 0.5))
    others = np.setdiff1d(items_of(half), met[0]).astype(np.int32)
    assert len(others)
    np.testing.assert_allclose(rows_of(half, others), rows_of(to_arrays(begun.start), others) / 2, rtol=1e-6)


def test_who_has_no_answers_says_nothing_of_any_title() -> None:
    """And has its part of the prior."""
    groups = [*parts(people(), (5, 4)), {}]
    mean = rows_of(averaged(groups, ROUNDS), EVERY)[:, 0]
    two = rows_of(averaged(groups[:2], ROUNDS), EVERY)[:, 0]
    np.testing.assert_allclose(mean, two, atol=0.05)


def test_where_items_have_no_rows_nothing_is_done() -> None:
    plain = tiny_model("llama")
    told = learning(lesson(people()))
    words = Learning(plain, LORA, {}, told.lesson, told.config)
    known: Known = (EVERY, np.ones(ITEMS, np.float32))
    assert from_mean(words, known) is words
    assert towards_all(words, {}, 1.0) == {}


def test_what_is_known_stands_beside_the_rows_that_there_are() -> None:
    mean = weighted_mean(
        [to_arrays(with_item_rows(of(people(), to_arrays(START), 0, 2)).start)], [1], [Precision((EVERY, EVERY), 0.5)]
    )
    assert len(mean[KNOWN]) == len(mean[ROWS]) == len(mean[ITEMS_A])
    bare, known = without_known(mean)
    assert KNOWN not in bare and known is not None
    assert known_of(known, EVERY[-1:]).tolist() == [0.0], "nobody has met it"


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**16))
def test_nothing_is_unexplained_in_sum_at_the_mode(persons: int, titles: int, seed: int) -> None:
    """Of each title but for its prior."""
    random = np.random.default_rng(seed)
    person, title = random.integers(persons, size=30), random.integers(titles, size=30)
    liked = random.random(30) < 0.6
    effect = title_effects(person, title, liked, titles, 1.0).effect
    rest = np.bincount(title, unexplained(person, liked, effect[title]), titles)
    np.testing.assert_allclose(rest, effect, atol=0.02)
