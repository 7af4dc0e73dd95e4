"""What a partitioner sees: the training rows to be sorted into shards, and public things that may help."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Shards = NDArray[np.int32]
Vectors = NDArray[np.floating]


@dataclass(frozen=True)
class Rows:
    """n training rows of users and items.

    Attributes:
        user: (n,) int32, index into `user_ids`.
        item: (n,) int32, index into the m items of the catalogue.
        label: (n,) int8, 1 = liked, 0 = not.
        user_ids: the users' ids; some may have no row.
        row_keys: (n,) str, a key of each row that stays when others go ("user\\titem\\ttime").
        vectors: (n, d) float32, what the frozen base makes of each row's prompt. Private: it depends on the history.
        item_vectors: (m, d) float32, of the public catalogue.
        public: (p, d) float32, people of a public cohort: the mean of their items' vectors, as users are placed.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    label: NDArray[np.int8]
    user_ids: tuple[str, ...]
    row_keys: NDArray[np.str_]
    vectors: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    public: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.user)
