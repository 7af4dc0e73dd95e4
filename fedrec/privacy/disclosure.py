"""What clients may tell of their scores, so that metrics over all of them follow: every score, counts, or nothing.

An AUC over the rows of several clients is not a mean of theirs. From every row's score it is exact; from counts of
scores by label in fixed bins it follows within an error that the counts themselves state; from the clients' metrics
alone it cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.config import Sharing
from fedrec.intervals import auc_margin, auc_variance, mean_margin
from fedrec.metrics import Labels, Scores, auc, aucs_of_users, logloss, mean

LEAST_FIRST: tuple[Sharing, ...] = ("metrics", "histogram", "scores")
BINS = 4096
_LIMIT = np.log((1 - 1e-7) / 1e-7)  # the logit at which LogLoss is clipped
_EDGES = np.linspace(-_LIMIT, _LIMIT, BINS + 1)


@dataclass(frozen=True)
class ScoredRows:
    """n test rows.

    Attributes:
        scores: (n,) probabilities of a like.
        labels: (n,) 0 or 1.
        people: (n,) a number for each row's person, the same at every client.
        at_split: (n,) probabilities from each person's history at the split; NaN where it was not asked.
    """

    scores: Scores
    labels: Labels
    people: NDArray[np.int64]
    at_split: Scores

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, mask: NDArray[np.bool_]) -> ScoredRows:
        """The rows of the mask (n,)."""
        return ScoredRows(**{name: each[mask] for name, each in vars(self).items()})


@dataclass(frozen=True)
class Histogram:
    """Counts of scores in `BINS` bins of equal width of the logit, between those at which LogLoss is clipped.

    Attributes:
        liked, disliked: (BINS,) rows of each label.
    """

    liked: NDArray[np.int64]
    disliked: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.liked.sum() + self.disliked.sum())


SharedScores = ScoredRows | Histogram | None


def shared(rows: ScoredRows, asked: Sharing, allowed: Sharing) -> SharedScores:
    """As much of these rows as is asked for, and no more than is allowed."""
    sharing = min(asked, allowed, key=LEAST_FIRST.index)
    return rows if sharing == "scores" else histogram(rows) if sharing == "histogram" else None


def histogram(rows: ScoredRows) -> Histogram:
    """The rows counted."""
    bins = _bins(rows.scores)
    liked, disliked = (np.bincount(bins[rows.labels == label], minlength=BINS) for label in (1, 0))
    return Histogram(liked, disliked)


def histogram_of(part: ScoredRows | Histogram) -> Histogram:
    """The counts, of scores where each is told."""
    return histogram(part) if isinstance(part, ScoredRows) else part


def _bins(scores: Scores) -> NDArray[np.intp]:
    with np.errstate(divide="ignore"):
        logit = np.log(scores) - np.log1p(-scores)
    return np.clip(np.searchsorted(_EDGES, logit, side="right") - 1, 0, BINS - 1)


def counted(parts: Sequence[SharedScores]) -> Histogram | None:
    """Everybody's rows, counted; None where one tells no counts, or a label has no rows."""
    told = [histogram_of(part) for part in parts if part is not None]
    counts = sum_of(told) if told and len(told) == len(parts) else None
    return counts if counts and counts.liked.any() and counts.disliked.any() else None


def auc_variance_of(rows: ScoredRows, everybody: Histogram) -> float:
    """What these rows' people add to the variance of the AUC of everybody's rows.

    Raises:
        ValueError: of one line: these rows are not among everybody's.
    """
    mine = histogram(rows)
    if (mine.liked > everybody.liked).any() or (mine.disliked > everybody.disliked).any():
        raise ValueError("counts of everybody's rows that have not these among them")
    return auc_variance(_bins(rows.scores), rows.labels, rows.people, (everybody.liked, everybody.disliked))


def pool(parts: Sequence[SharedScores]) -> dict[str, float]:
    """What follows of everybody's rows from what each client tells; the least that one of them tells decides.

    Returns:
        From scores `auc`, `uauc`, `uauc_at_split` and `logloss`, exactly; from histograms `auc` and `logloss` with
        `auc_error` and `logloss_error`, by which they may be wrong at most; otherwise nothing.
    """
    told = [part for part in parts if part is not None]
    if not parts or len(told) < len(parts):
        return {}
    if (scored := all_scored(told)) is None:
        return _of_counts(sum_of([histogram_of(part) for part in told]))
    rows = together(scored)
    return {
        "auc": auc(rows.scores, rows.labels),
        "uauc": mean(aucs_of_users(rows.scores, rows.labels, rows.people)),
        "uauc_at_split": mean(aucs_at_split(scored)),
        "logloss": logloss(rows.scores, rows.labels),
    }


def margins(parts: Sequence[SharedScores]) -> dict[str, float]:
    """Half the width of 95 % intervals over people of what `pool` tells, by `…_margin`, where every score is told."""
    if (scored := all_scored(parts)) is None:
        return {}
    rows = together(scored)
    return {
        "auc_margin": auc_margin(rows.scores, rows.labels, rows.people),
        **ranking_margins(scored),
    }


def ranking_margins(parts: Sequence[ScoredRows]) -> dict[str, float]:
    """Those of the two means over people, `uauc_margin` and `uauc_at_split_margin`; there is a part at least."""
    rows = together(parts)
    return {
        "uauc_margin": mean_margin(aucs_of_users(rows.scores, rows.labels, rows.people)),
        "uauc_at_split_margin": mean_margin(aucs_at_split(parts)),
    }


def all_scored(parts: Sequence[SharedScores]) -> list[ScoredRows] | None:
    """The parts, where there are some and each tells every score."""
    scored = [part for part in parts if isinstance(part, ScoredRows)]
    return scored if scored and len(scored) == len(parts) else None


def together(parts: Sequence[ScoredRows]) -> ScoredRows:
    """All their rows."""
    return ScoredRows(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def aucs_at_split(parts: Sequence[ScoredRows]) -> list[float]:
    """Of each person at each client: who has rows at several has a history at each."""
    return [value for part in parts for value in aucs_of_users(part.at_split, part.labels, part.people)]


def sum_of(histograms: Sequence[Histogram]) -> Histogram:
    """The histogram of all their rows."""
    return Histogram(sum(h.liked for h in histograms), sum(h.disliked for h in histograms))  # type: ignore[arg-type]


def _of_counts(counts: Histogram) -> dict[str, float]:
    """A pair within a bin counts half; a row's loss is the middle of those at its bin's edges."""
    liked, disliked = counts.liked.astype(float), counts.disliked.astype(float)
    pairs, rows = liked.sum() * disliked.sum(), liked.sum() + disliked.sum()
    unknown = float(liked @ disliked) / 2
    below = np.cumsum(disliked) - disliked
    of_like, of_dislike = np.logaddexp(0, -_EDGES), np.logaddexp(0, _EDGES)
    loss, doubt = (
        liked @ ((of_like[:-1] + sign * of_like[1:]) / 2) + disliked @ ((of_dislike[1:] + sign * of_dislike[:-1]) / 2)
        for sign in (1, -1)
    )
    nan = float("nan")
    return {
        "auc": (float(liked @ below) + unknown) / pairs if pairs else nan,
        "auc_error": unknown / pairs if pairs else nan,
        "logloss": float(loss / rows) if rows else nan,
        "logloss_error": float(doubt / rows) if rows else nan,
    }


def to_arrays(part: SharedScores) -> dict[str, NDArray[Any]]:
    """What is told as arrays, named `scored/…` or `histogram/…`."""
    kind = "scored" if isinstance(part, ScoredRows) else "histogram"
    return {} if part is None else {f"{kind}/{name}": array for name, array in vars(part).items()}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> SharedScores:
    """What `to_arrays` was given.

    Raises:
        ValueError: one line: an array is missing, too many, or not what it must be.
    """
    if not arrays:
        return None
    for kind, of, fault_of in (("scored", ScoredRows, _fault_of_scores), ("histogram", Histogram, _fault_of_counts)):
        columns = [arrays[key] for name in of.__annotations__ if (key := f"{kind}/{name}") in arrays]
        if len(columns) == len(arrays) == len(of.__annotations__):
            if fault := fault_of(*columns):
                raise ValueError(fault)
            return of(*columns)
    raise ValueError("its arrays are neither scored rows nor a histogram")


def counts_of(arrays: Mapping[str, NDArray[Any]]) -> Histogram:
    """The same of counts alone; ValueError where they are none."""
    if not isinstance(found := from_arrays(arrays), Histogram):
        raise ValueError("its arrays are no histogram")
    return found


def _fault_of_scores(
    scores: NDArray[Any], labels: NDArray[Any], people: NDArray[Any], at_split: NDArray[Any]
) -> str | None:
    if [a.dtype for a in (scores, labels, people, at_split)] != [np.float64, np.int8, np.int64, np.float64]:
        return "scored rows have other types than float64, int8, int64 and float64"
    if scores.ndim != 1 or not scores.shape == labels.shape == people.shape == at_split.shape:
        return "scored rows are not two scores, a label and a person each"
    if not ((scores >= 0) & (scores <= 1)).all() or not (np.isnan(at_split) | (at_split >= 0) & (at_split <= 1)).all():
        return "a score is not within 0 and 1"
    return None if np.isin(labels, (0, 1)).all() else "a label is neither 0 nor 1"


def _fault_of_counts(*counts: NDArray[Any]) -> str | None:
    if any(each.dtype != np.int64 or each.shape != (BINS,) for each in counts):
        return f"a histogram is not {BINS} integers"
    return None if all(((each >= 0) & (each < 2**40)).all() for each in counts) else "a count is no number of rows"
