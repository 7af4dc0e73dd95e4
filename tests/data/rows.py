"""Small data sets for the tests of this folder: columns by hand, or generated with the usual pitfalls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from fedrec.data.dataset import Interactions


def interactions(user: Any, time: Any, item: Any = None, label: Any = None, **more: Any) -> Interactions:
    """Interactions from lists; items default to 0, 1, ..., labels to 1, splits to train."""
    n = len(user)
    users = int(max(user)) + 1
    return Interactions(
        np.array(user, np.int32),
        np.arange(n, dtype=np.int32) if item is None else np.array(item, np.int32),
        np.ones(n, np.int8) if label is None else np.array(label, np.int8),
        np.array(time, np.int64),
        more.pop("split", np.zeros(n, np.int8)),
        tuple(f"u{i}" for i in range(users)),
        **more,
    )


@st.composite
def random_rows(draw: st.DrawFn, max_users: int = 8, max_rows: int = 60) -> Interactions:
    """Rows with tied times, users of any length (one row too), repeated pairs, and a random split."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    users = draw(st.integers(1, max_users))
    n = draw(st.integers(users, max_rows))
    user = np.concatenate([np.arange(users), random.integers(0, users, n - users)])
    return interactions(
        user,
        random.integers(0, draw(st.integers(1, 40)), n),
        random.integers(0, 9, n),
        random.integers(0, 2, n),
        split=random.integers(0, 3, n).astype(np.int8),
    )


def ratings_frame(seed: int, rows: int = 60) -> pd.DataFrame:
    """Ratings 1 to 5 of titles of every kind: repeated, non-ASCII, with quotes, commas and bars."""
    random = np.random.default_rng(seed)
    titles = ['Café, "Le" (1994)', "Über | Alles (2001)", "Sting, The (1973)", "Sting, The (1973)", "unknown", "A: B"]
    user, item = random.integers(1, 13, rows), random.integers(1, 7, rows)
    return pd.DataFrame(
        {
            "user": user.astype(str),
            "item": item.astype(str),
            "rating": np.r_[1, 5, random.integers(1, 6, rows - 2)],
            "timestamp": 900_000_000 + random.integers(0, 30, rows),
            "title": [titles[i - 1].replace("|", "/") for i in item],
        }
    )
