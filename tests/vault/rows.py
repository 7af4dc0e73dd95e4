"""Rows for a vault: random ones with the usual pitfalls, and whether two tables say the same to the last bit."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from fedrec.data.dataset import Catalogue, Interactions

CATALOGUE = Catalogue(tuple(f"item-{i}" for i in range(9)), tuple(f"Title {i}" for i in range(9)))


def make_rows(seed: int, count: int = 60, users: int = 6, grouped: bool = False, truth: bool = False) -> Interactions:
    """Rows with repetitions and tied times; each user has one, and users are not in alphabetical order."""
    random = np.random.default_rng(seed)
    user = np.r_[np.arange(users), random.integers(0, users, count - users)].astype(np.int32)
    return Interactions(
        user,
        random.integers(0, len(CATALOGUE), count).astype(np.int32),
        random.integers(0, 2, count).astype(np.int8),
        random.integers(-3, 12, count),
        random.integers(0, 4, count).astype(np.int8),
        tuple(f"Zoë-{users - i}" if i % 2 else f"person {i}" for i in range(users)),
        (user % 2).astype(np.int32) if grouped else None,
        ("west", "east") if grouped else (),
        random.random(count) if truth else None,
    )


def random_rows() -> st.SearchStrategy[Interactions]:
    return st.builds(
        make_rows, st.integers(0, 2**32), st.integers(6, 60), st.integers(2, 6), st.booleans(), st.booleans()
    )


def same(one: Interactions, other: Interactions) -> bool:
    """Equal, types of the columns too."""
    for name, column in vars(one).items():
        against = getattr(other, name)
        if isinstance(column, np.ndarray):
            if against is None or column.dtype != against.dtype or not np.array_equal(column, against):
                return False
        elif isinstance(against, np.ndarray) or column != against:
            return False
    return True
