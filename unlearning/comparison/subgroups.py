"""Whom forgetting may fail more than others: people with many rows, and people whose titles few others know."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Interactions

_QUARTER = 0.25


def subgroups(rows: Interactions, deleted: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Of the k deleted rows (k,) those of each group, a quarter of the people that they are of.

    heavy: whose rows are most; rare: whose titles' mean log popularity among all training rows is lowest.

    Args:
        deleted: (n,) of the rows.
    """
    met = np.bincount(rows.item[rows.split == TRAIN], minlength=int(rows.item.max(initial=-1)) + 1)
    _, person = np.unique(rows.user[deleted], return_inverse=True)
    if not len(person):
        return {}
    count = np.bincount(person)
    popularity = np.bincount(person, np.log1p(met[rows.item[deleted]])) / count
    heavy, rare = count >= np.quantile(count, 1 - _QUARTER), popularity <= np.quantile(popularity, _QUARTER)
    return {"heavy": heavy[person], "rare": rare[person]}
