"""Two logistic regressions that a language model has to beat: on what can be counted, and on who and what alone.

- counts: on eight counts of a row (`counted`): how its title is liked, and what the person said before.
- effects: b_title of log-odds = c + a_person + b_title (`title_effects`). It ranks one person's titles, and nothing of
  the person is in it.

Both learn from train rows alone; a train row's own label is not in its counts. On the test rows of the CoLLM split of
MovieLens-1M they reach AUC 0.787 and 0.710, and UAUC 0.648 and 0.683. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Interactions
from fedrec.data.split import earlier_rows
from fedrec.data.title_effects import title_effects

REGRESSIONS = ("counts", "effects")
_OF_TITLE = 3  # of the counts are the title's, the others the person's

Values = NDArray[np.float64]


def regression_scores(rows: Interactions, of: NDArray[np.bool_]) -> dict[str, Values]:
    """Scorer → log-odds of the rows of the mask (n,); without train rows of both classes they are all 0."""
    return {name: growing for name, (growing, _) in both_regressions(rows, of).items()}


def both_regressions(rows: Interactions, of: NDArray[np.bool_]) -> dict[str, tuple[Values, Values]]:
    """The same, and each row's log-odds where its person's counts are those at the first of their rows of the mask."""
    train = rows.split == TRAIN
    if len(np.unique(rows.label[train])) < 2:
        nothing = np.zeros(int(of.sum()))
        return dict.fromkeys(REGRESSIONS, (nothing, nothing))
    learnt = rows.take(train)
    found = title_effects(learnt.user, learnt.item, learnt.label == 1, titles=int(rows.item.max()) + 1, prior=1.0)
    effects = found.effect[rows.item[of]]
    return {"counts": _counts(rows, train, of), "effects": (effects, effects)}


def counted(rows: Interactions) -> Values:
    """(n, 8): log-odds of the title's like-rate with 5 and 20 pseudo-rows, log of its rows; log-odds of the person's
    like-rate over all, 10 and 3 earlier rows, the last answer, log of how many there were.

    Titles are counted on train rows, persons on all rows before. Rates are smoothed towards that of all train rows.
    """
    train = rows.split == TRAIN
    prior = float(rows.label[train].mean())
    own = train.astype(np.float64)
    seen = np.bincount(rows.item, own)[rows.item] - own
    liked = np.bincount(rows.item, own * rows.label)[rows.item] - own * rows.label
    earlier = earlier_rows(rows)
    here, likes_above = np.arange(len(rows)), np.concatenate([[0], np.cumsum(rows.label, dtype=np.int64)])

    def recent(count: int, pseudo_rows: float) -> Values:
        last = np.minimum(earlier, count)
        return _log_odds(likes_above[here] - likes_above[here - last], last, prior, pseudo_rows)

    last_answer = np.where(earlier > 0, rows.label[here - 1], prior)  # of the row above, which is the person's own
    return np.stack(
        [
            _log_odds(liked, seen, prior, 5),
            _log_odds(liked, seen, prior, 20),
            np.log1p(seen),
            recent(len(rows), 5),
            recent(10, 5),
            recent(3, 2),
            last_answer,
            np.log1p(earlier),
        ],
        axis=1,
    )


def _log_odds(likes: NDArray[Any], rows: NDArray[Any], prior: float, pseudo_rows: float) -> Values:
    rate = (likes + pseudo_rows * prior) / (rows + pseudo_rows)
    return np.asarray(np.log(rate / (1 - rate)), np.float64)


def _counts(rows: Interactions, train: NDArray[np.bool_], of: NDArray[np.bool_]) -> tuple[Values, Values]:
    features = counted(rows)
    mean, spread = features[train].mean(0), features[train].std(0)
    features = (features - mean) / np.where(spread > 0, spread, 1)
    weights, bias = _fit(features[train], rows.label[train])
    growing = features[of]
    _, first, person = np.unique(rows.user[of], return_index=True, return_inverse=True)
    at_split = np.concatenate([growing[:, :_OF_TITLE], growing[first][person, _OF_TITLE:]], axis=1)
    return growing @ weights + bias, at_split @ weights + bias


def _fit(features: Any, labels: NDArray[np.int8]) -> tuple[Values, float]:
    """Ridge-regularised logistic regression; one thread, so that sums are the same on every machine."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        found = LogisticRegression(max_iter=500).fit(features, labels)
    return found.coef_[0], float(found.intercept_[0])
