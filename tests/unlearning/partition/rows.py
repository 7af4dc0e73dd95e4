"""Rows for the tests of partitions: random ones with every pitfall, and ones with planted groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from unlearning.partition import Rows


def make(user: Any, item: Any, label: Any = None, vectors: Any = None, item_vectors: Any = None) -> Rows:
    """Rows from lists; labels default to 1, vectors to the items' own, item vectors to random ones."""
    users, items = np.array(user, np.int32), np.array(item, np.int32)
    random = np.random.default_rng(len(users))
    if item_vectors is None:
        item_vectors = random.normal(size=(int(items.max(initial=7)) + 1, 3))
    item_vectors = np.asarray(item_vectors, np.float32)
    cohort = random.integers(0, len(item_vectors), (40, 3))
    return Rows(
        users,
        items,
        np.ones(len(users), np.int8) if label is None else np.array(label, np.int8),
        tuple(f"u{i}" for i in range(int(users.max(initial=-1)) + 1)),
        np.array([f"u{u}\t{i}\t{n}" for n, (u, i) in enumerate(zip(users, items, strict=True))], np.str_),
        item_vectors[items] if vectors is None else np.asarray(vectors, np.float32),
        item_vectors,
        item_vectors[cohort].mean(axis=1),
    )


def take(rows: Rows, chosen: Any) -> Rows:
    """The chosen rows (a mask, or positions), with the user index and everything public unchanged."""
    own = ("user", "item", "label", "row_keys", "vectors")
    return replace(rows, **{name: getattr(rows, name)[chosen] for name in own})


def any_rows(seed: int, users: int = 12, items: int = 20, n: int = 80) -> Rows:
    """Users of unlike length, some of one row; repeated pairs; both labels; rows in no order."""
    random = np.random.default_rng(seed)
    user = random.permutation(np.r_[np.arange(users), (users * random.random(n - users) ** 3).astype(int)])
    return make(
        user,
        random.integers(0, items, n),
        random.integers(0, 2, n),
        random.normal(size=(n, 4)),
        random.normal(size=(items, 3)),
    )


def two_camps(seed: int, users: int = 40, items: int = 30, each: int = 10) -> Rows:
    """The first half of the users see and like the first half of the items, and the second half the second."""
    random = np.random.default_rng(seed)
    half = items // 2
    item = np.concatenate([random.choice(half, each, replace=False) + half * (u >= users // 2) for u in range(users)])
    side = np.where(np.arange(items) < half, 1.0, -1.0)
    vectors = np.c_[5 * side, random.normal(size=(items, 2))]
    return make(np.repeat(np.arange(users), each), item, item_vectors=vectors)


@st.composite
def random_rows(draw: st.DrawFn) -> Rows:
    users = draw(st.integers(1, 12))
    return any_rows(draw(st.integers(0, 2**32)), users, draw(st.integers(16, 24)), draw(st.integers(users, 80)))
