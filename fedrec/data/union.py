"""Several clients' rows as one table, and their titles as one catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.readers.arrow import taken
from fedrec.data.readers.values import natural_order


def pooled(parts: Mapping[str, Interactions]) -> Interactions:
    """All rows in one table, each with its client; users in the order in which a reader numbers them.

    Somebody whom several clients know is one user.
    """
    everybody = pa.array(sorted({user for rows in parts.values() for user in rows.user_ids}), pa.string())
    users = tuple(taken(everybody, natural_order(everybody)).to_pylist())
    place = {user: index for index, user in enumerate(users)}
    theirs = [np.array([place[user] for user in rows.user_ids], np.int32)[rows.user] for rows in parts.values()]
    names = ("item", "label", "time", "split")
    columns: dict[str, Any] = {name: np.concatenate([getattr(rows, name) for rows in parts.values()]) for name in names}
    client = np.repeat(np.arange(len(parts), dtype=np.int32), [len(rows) for rows in parts.values()])
    truths = [rows.truth for rows in parts.values() if rows.truth is not None]
    truth = np.concatenate(truths) if truths and sum(map(len, truths)) == len(client) else None
    user = np.concatenate(theirs)
    return Interactions(user=user, user_ids=users, client=client, client_ids=tuple(parts), truth=truth, **columns)


def united(parts: Iterable[Catalogue]) -> Catalogue:
    """Every item of some catalogues, in the natural order of their ids; of several titles the first in the alphabet."""
    titles: dict[str, str] = {}
    for part in parts:
        for item, title in zip(part.ids, part.titles, strict=True):
            titles[item] = min(titles.get(item, title), title)
    items = pa.array(sorted(titles), pa.string())
    ids = tuple(taken(items, natural_order(items)).to_pylist())
    return Catalogue(ids, tuple(titles[item] for item in ids))
