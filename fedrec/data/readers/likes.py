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
            f"{source.interactions.path}: {_all_alike(low)}; if another column says what people liked, name it with"
            " --set data.columns.rating=NAME, or one of 0/1 likes with --set data.columns.label=NAME"
        )
    labels = (ratings > threshold).astype(np.int8)
    mend = f" above {threshold:g} ({why}); {_better(ratings)}"
    return labels, f"a rating above {threshold:g} is a like ({why})", one_sided(labels, mend)


def _better(ratings: NDArray[np.float64]) -> str:
    """A threshold that separates the ratings, or that there is none."""
    if (low := float(ratings.min())) == float(ratings.max()):
        return _all_alike(low)
    for middle in (float(np.median(ratings)), float(ratings.mean())):
        share = float((ratings > middle).mean())
        if _FEW <= share <= 1 - _FEW:
            half = f"--like-above {middle:g} makes {share:.0%} of the rows likes"
            return f"if that is no threshold for these data, give another: {half}"
    values, counts = np.unique(ratings, return_counts=True)
    most = int(counts.argmax())
    return f"{counts[most] / len(ratings):.0%} of all ratings are {values[most]:g}, so no threshold separates them well"


def _all_alike(rating: float) -> str:
    return f"all ratings are {rating:g}: no threshold separates them"


def one_sided(labels: Labels, mend: str) -> str | None:
    """What to say of labels that are nearly all the same."""
    likes = int(labels.sum())
    return None if _FEW <= likes / len(labels) <= 1 - _FEW else f"{likes:,} of {len(labels):,} rows are likes{mend}"
