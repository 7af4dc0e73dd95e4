"""Who holds whose rows: every user belongs to exactly one client. Pure functions.

All three rules give (u,) int32 for the u users of the interactions: the index of each user's client. A client without
a user is a UsageError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Interactions
from fedrec.errors import DataError, UsageError

Assignment = NDArray[np.int32]


def client_names(clients: int | Sequence[str]) -> tuple[str, ...]:
    """The clients' names: the source's own, or client-0, client-1, ... padded with zeros so that they sort."""
    if not isinstance(clients, int):
        return tuple(clients)
    width = len(str(clients - 1))
    return tuple(f"client-{index:0{width}}" for index in range(clients))


def by_hash(user_ids: Sequence[str], count: int) -> Assignment:
    """SHA-256 of the user id, modulo `count`: the same on every machine, whoever the other users are."""
    digests = (hashlib.sha256(user.encode()).digest() for user in user_ids)
    clients = np.array([int.from_bytes(digest[:8], "big") % count for digest in digests], np.int32)
    return _populated(clients, count)


def by_column(rows: Interactions) -> Assignment:
    """The client that the source names in each row; indices are into `rows.client_ids`.

    Raises:
        UsageError: the source names no clients.
        DataError: a user's rows lie with two clients.
    """
    if rows.client is None:
        raise UsageError(
            "clients.by = column: the data has no client column; name it with --set data.columns.client=NAME"
        )
    clients = np.empty(len(rows.user_ids), np.int32)
    clients[rows.user] = rows.client
    if (strays := np.flatnonzero(clients[rows.user] != rows.client)).size:
        user, other = int(rows.user[strays[0]]), int(rows.client[strays[0]])
        one, two = sorted((rows.client_ids[clients[user]], rows.client_ids[other]))
        raise DataError(
            f"user {rows.user_ids[user]!r} has rows with the clients {one!r} and {two!r}: give each user one client"
        )
    return _populated(clients, len(rows.client_ids))


def by_taste(rows: Interactions, item_vectors: NDArray[np.floating], count: int, seed: int) -> Assignment:
    """K-means over what each user likes: the mean, over the user's n train rows, of ±(the item's public vector).

    Liked items count +1, others -1; a user without train rows stands at the origin.

    Args:
        item_vectors: (m, d), from public text only.
    """
    from sklearn.cluster import KMeans

    if count > len(rows.user_ids):
        raise _empty_client(count)
    train = rows.take(rows.split == TRAIN)
    sign = 2.0 * train.label[:, None] - 1
    taste = np.zeros((len(rows.user_ids), item_vectors.shape[1]))
    np.add.at(taste, train.user, sign * item_vectors[train.item])
    taste /= np.maximum(np.bincount(train.user, minlength=len(taste)), 1)[:, None]
    clients = KMeans(count, n_init=10, random_state=seed).fit_predict(taste)
    return _populated(clients.astype(np.int32), count)


def _populated(clients: Assignment, count: int) -> Assignment:
    if len(np.unique(clients)) < count:
        raise _empty_client(count)
    return clients


def _empty_client(count: int) -> UsageError:
    return UsageError(f"clients.count = {count}: a client would have no user; choose fewer clients or more users")
