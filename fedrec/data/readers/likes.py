"""Ratings as likes: the threshold, and what to say where nearly all rows, or hardly any, are above it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.readers.source import Source
from fedrec.errors import DataError

_FEW = 0.05

Labels = NDArray[np.int8]


def labels_of(ratings: NDArray[np.float64], source: Source, given: float | None) -> tuple[Labels, float, str]:
    """Likes, the threshold above which a rating is one, and where it is from.

    Args:
        given: None = the source's own threshold, or the midpoint of the ratings.

    Raises:
        DataError: all ratings are equal, and no threshold is given.
    """
    low, high = float(ratings.min()), float(ratings.max())
    if given is not None:
        threshold, why = given, "as given"
    elif source.like_above is not None:
        threshold, why = source.like_above, f"usual for {source.format}"
    elif low < high:
        threshold, why = (low + high) / 2, f"the midpoint of the ratings {low:g} to {high:g}"
    else:
        raise DataError(
            f"{source.interactions.path}: every rating is {low:g}, so no like threshold follows;"
            " give one with --like-above"
        )
    return (ratings > threshold).astype(np.int8), threshold, why


def doubtful_threshold(labels: Labels, ratings: NDArray[np.float64], threshold: float, why: str) -> str | None:
    """What to say of a threshold that leaves fewer than 5 % of the rows in one class, and which one does not."""
    told = _one_sided(labels)
    if told is None:
        return None
    middle = float(np.median(ratings))
    if not _FEW <= float((ratings > middle).mean()) <= 1 - _FEW:
        middle = float(ratings.mean())
    half = f"--like-above {middle:g} makes {(ratings > middle).mean():.0%} of the rows likes"
    return f"{told} above {threshold:g} ({why}); if that is no threshold for these data, give another: {half}"


def doubtful_labels(labels: Labels) -> str | None:
    """What to say of given labels that are nearly all the same."""
    told = _one_sided(labels)
    if told is None:
        return None
    return f"{told}; if another column says what people liked, name it with --set data.columns.label=NAME"


def _one_sided(labels: Labels) -> str | None:
    likes = int(labels.sum())
    if _FEW <= likes / len(labels) <= 1 - _FEW:
        return None
    return f"{likes:,} of {len(labels):,} rows are likes"
