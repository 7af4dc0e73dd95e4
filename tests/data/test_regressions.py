"""The regressions count what they say, never a row's own label, and find what is there to be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given

from fedrec import metrics
from fedrec.data.dataset import TEST, TRAIN, Interactions
from fedrec.data.regressions import REGRESSIONS, both_regressions, counted, regression_scores
from tests.data.rows import interactions, random_rows


def logit(likes: float, rows: float, prior: float, pseudo: float) -> float:
    rate = (likes + pseudo * prior) / (rows + pseudo)
    return float(np.log(rate / (1 - rate)))


def by_definition(rows: Interactions, row: int) -> list[float]:
    """One row's counts, written out."""
    train = rows.split == TRAIN
    prior = rows.label[train].mean()
    others = train & (rows.item == rows.item[row]) & (np.arange(len(rows)) != row)
    title, n = rows.label[others].sum(), others.sum()
    before = rows.label[:row][rows.user[:row] == rows.user[row]]
    last = [before[len(before) - min(len(before), k) :] for k in (len(rows), 10, 3)]
    return [
        logit(title, n, prior, 5), logit(title, n, prior, 20), np.log1p(n),
        *(logit(labels.sum(), len(labels), prior, pseudo) for labels, pseudo in zip(last, (5, 5, 2), strict=True)),
        before[-1] if len(before) else prior, np.log1p(len(before)),
    ]  # fmt: skip


def two_classes(rows: Interactions) -> bool:
    return len(np.unique(rows.label[rows.split == TRAIN])) == 2


@given(random_rows(max_users=3))
def test_counts_follow_the_definition(rows: Interactions) -> None:
    assume(two_classes(rows))
    np.testing.assert_allclose(counted(rows), [by_definition(rows, row) for row in range(len(rows))])


@given(random_rows())
def test_a_label_never_scores_its_own_row(rows: Interactions) -> None:
    last = len(rows) - 1
    split = rows.split.copy()
    split[last] = TEST
    one = replace(rows, split=split)
    assume(two_classes(one))
    label = rows.label.copy()
    label[last] = 1 - label[last]
    of = np.arange(len(rows)) == last
    first, second = (regression_scores(each, of) for each in (one, replace(one, label=label)))
    for name in REGRESSIONS:
        np.testing.assert_array_equal(first[name], second[name])


def test_effects_rank_titles_whoever_meets_them() -> None:
    """Half of the people like more than the others, and meet other titles: rates mislead, effects do not."""
    random = np.random.default_rng(0)
    people, titles, each = 600, 20, 12
    quality = np.linspace(-2, 2, titles)
    generous = np.arange(people) < people // 2
    taken = [random.choice(titles, each, replace=False, p=_odds(-quality if kind else quality)) for kind in generous]
    user, item = np.repeat(np.arange(people), each), np.concatenate(taken)
    logits = quality[item] + np.where(generous[user], 1.0, -1.0)
    label = random.random(len(user)) < 1 / (1 + np.exp(-logits))
    split = np.where(np.tile(np.arange(each) < 9, people), TRAIN, TEST).astype(np.int8)
    rows = interactions(user, np.tile(np.arange(each), people), item, label, split=split)
    test = rows.split == TEST
    effects = regression_scores(rows, test)["effects"]
    assert metrics.uauc(effects, rows.label[test], rows.user[test]) > 0.7
    best = {title: effects[rows.item[test] == title].mean() for title in np.unique(rows.item[test])}
    assert np.corrcoef(list(best.values()), quality[list(best)])[0, 1] > 0.9


@pytest.mark.parametrize("label", [0, 1])
def test_with_one_class_nothing_is_learnt(label: int) -> None:
    rows = interactions(np.arange(4), np.arange(4), np.arange(4), np.full(4, label == 1))
    assert all(not scores.any() for scores in regression_scores(rows, np.ones(4, bool)).values())


def _odds(values: np.ndarray) -> np.ndarray:
    weights = np.exp(values)
    return np.asarray(weights / weights.sum())


@given(random_rows(max_users=3))
def test_at_the_split_a_person_s_counts_are_those_of_their_first_row(rows: Interactions) -> None:
    """So what was answered between the rows of the mask changes nothing but the mask's first rows' own scores."""
    assume(two_classes(rows) and (rows.split == TEST).any())
    of = rows.split == TEST
    both = both_regressions(rows, of)
    first = np.unique(rows.user[of], return_index=True)[1]
    for growing, at_split in both.values():
        np.testing.assert_allclose(growing[first], at_split[first])
    np.testing.assert_array_equal(*both["effects"])
    later = replace(rows, label=np.where(of, 1 - rows.label, rows.label).astype(np.int8))
    if not (of & (np.r_[rows.user[1:] == rows.user[:-1], False]) & np.r_[~of[1:], False]).any():  # none before others
        np.testing.assert_allclose(both_regressions(later, of)["counts"][1], both["counts"][1])
