"""How much of the answers is the title: held against scikit-learn's ridge, refits without a row, and groups' means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from fedrec.data.title_effects import title_effects

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def answers(seed: int, persons: int, titles: int, n: int, level: float = 0.5, spread: float = 1.0) -> Rows:
    """Whose each is, of which title, and whether it was liked."""
    random = np.random.default_rng(seed)
    person, title = random.integers(persons, size=n), random.integers(titles, size=n)
    odds = level + random.normal(0, spread, persons)[person] + random.normal(0, spread, titles)[title]
    return person, title, random.random(n) < 1 / (1 + np.exp(-odds))


def some(rows: Rows, which: np.ndarray) -> Rows:
    person, title, liked = rows
    return person[which], title[which], liked[which]


def ridge(rows: Rows, titles: int, prior: float) -> np.ndarray:
    """scikit-learn's: its one penalty is 1 on every column, so titles' columns are 1 / √prior high."""
    person, title, liked = rows
    persons, n = int(person.max()) + 1, np.arange(len(person))
    columns = np.zeros((len(person), 1 + persons + titles))
    columns[:, 0] = columns[n, 1 + person] = 1
    columns[n, 1 + persons + title] = prior**-0.5
    model = LogisticRegression(fit_intercept=False, solver="newton-cholesky", tol=1e-9, max_iter=200)
    found: np.ndarray = model.fit(columns, liked).coef_[0, 1 + persons :] * prior**-0.5
    return found


@pytest.mark.parametrize("level, spread", [(0.5, 1.0), (3.0, 1.0), (-5.0, 4.0)])
@pytest.mark.parametrize("prior", [0.25, 1.0, 50.0])
def test_it_is_the_ridge_regression_on_persons_and_titles(level: float, spread: float, prior: float) -> None:
    rows = answers(0, 40, 26, 600, level, spread)
    rows = some(rows, rows[1] != 25)
    found = title_effects(*rows, 26, prior)
    np.testing.assert_allclose(found.effect, ridge(rows, 26, prior), atol=5e-3)
    assert found.effect[25] == 0


@pytest.mark.parametrize("prior", [0.25, 1.0])
def test_a_rows_own_share_is_what_a_fit_without_it_loses(prior: float) -> None:
    rows = answers(1, 20, 12, 150)
    with_all, every = ridge(rows, 12, prior), np.arange(150)
    loses = [(with_all - ridge(some(rows, every != row), 12, prior))[title] for row, title in enumerate(rows[1][:30])]
    own = title_effects(*rows, 12, prior).own[:30]
    np.testing.assert_allclose(own, loses, atol=0.08)
    assert np.corrcoef(own, loses)[0, 1] > 0.98
    assert np.polyfit(loses, own, 1)[0] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_that_share_the_prior_out_come_near_the_whole_on_average(groups: int) -> None:
    """Where rows are few it matters: with the whole prior each, groups shrink what they know twice."""
    rows = answers(2, 80, 100, 800)
    whole = title_effects(*rows, 100, 1.0).effect
    shared, alone = (
        np.mean([title_effects(*some(rows, rows[0] % groups == k), 100, prior).effect for k in range(groups)], 0)
        for prior in (1 / groups, 1.0)
    )
    assert np.abs(shared - whole).mean() < 0.25 * np.abs(whole).mean() < np.abs(alone - whole).mean()
    assert np.polyfit(whole, shared, 1)[0] == pytest.approx(1, abs=0.15)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()), max_size=40),
    st.sampled_from([1e-3, 0.05, 1.0, 50.0]),
)
def test_any_rows_have_finite_effects(rows: list[tuple[int, int, bool]], prior: float) -> None:
    person, title, liked = np.array(rows, np.int64).reshape(-1, 3).T
    with np.errstate(all="raise", under="ignore"):
        found = title_effects(person, title, liked.astype(bool), 6, prior)
    assert np.isfinite(found.effect).all() and np.isfinite(found.own).all()
    assert found.own.shape == person.shape
    assert not found.effect[np.bincount(title, minlength=6) == 0].any()


@pytest.mark.parametrize("liked", [False, True])
@pytest.mark.parametrize("n", [1, 3, 500])
def test_where_all_say_the_same_an_effect_has_their_sign_and_own_is_part_of_it(n: int, liked: bool) -> None:
    nobody = np.zeros(n, np.int64)
    found = title_effects(nobody, nobody, np.full(n, liked), 1, 1.0)
    sign = 1 if liked else -1
    assert 0 < sign * found.effect[0] < 5
    assert (sign * found.own > 0).all() and (sign * found.own <= sign * found.effect[0] + 1e-3).all()
    assert n > 1 or found.own[0] == pytest.approx(found.effect[0], abs=1e-3)
