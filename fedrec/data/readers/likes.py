"""Ratings as likes: the threshold, and what to say where nearly all rows, or hardly any, are above it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.readers.sheet import Source
from fedrec.errors import DataError

_FEW = 0.05

Labels = NDArray[np.int8]


def labels_of(ratings: NDArray[np.float64], source: Source, given: float | None) -> tuple[Labels, str, str | None]:
    """Likes, what to say of the threshold, and what is doubtful where fewer than 5 % of the rows are in one class.

    Args:
        given: above it a rating is a like; None = the source's own threshold, or the midpoint of the ratings.
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
    labels = (ratings > threshold).astype(np.int8)
    middle = float(np.median(ratings))
    if not _FEW <= float((ratings > middle).mean()) <= 1 - _FEW:
        middle = float(ratings.mean())
    half = f"--like-above {middle:g} makes {(ratings > middle).mean():.0%} of the rows likes"
    mend = f" above {threshold:g} ({why}); if that is no threshold for these data, give another: {half}"
    return labels, f"a rating above {threshold:g} is a like ({why})", one_sided(labels, mend)


def one_sided(labels: Labels, mend: str) -> str | None:
    """What to say of labels that are nearly all the same."""
    likes = int(labels.sum())
    return None if _FEW <= likes / len(labels) <= 1 - _FEW else f"{likes:,} of {len(labels):,} rows are likes{mend}"
