"""What partitioners and aggregators read off the frozen base model, private and public."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.data.dataset import TRAIN, VALID, Catalogue, Interactions
from fedrec.data.imagined_cohort import imagined_cohort
from fedrec.data.prompts import PromptEncoder
from fedrec.data.selection import row_keys
from fedrec.data_settings import WorldConfig
from fedrec.models.base import Base
from fedrec.models.vectors import item_vectors
from fedrec.scoring import by_person, row_vectors
from unlearning.partition import Rows

_PUBLIC_SEED = 2  # of the imagined cohort; public, so no run's seed


def fill_vectors(
    base: Base, encoder: PromptEncoder, interactions: Interactions, kept: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(n, d) vectors of the training and validation rows; NaN for other rows.

    Args:
        kept: (n, d) those that are known already; rows of NaN are computed.
    """
    wanted = (interactions.split == TRAIN) | (interactions.split == VALID)
    if kept is not None:
        wanted &= np.isnan(kept[:, 0])
    windows, together = encoder.windows(interactions, wanted), by_person(interactions.user)
    new = row_vectors(base.model, windows, len(interactions), precision=base.precision, batches=together)
    return new if kept is None else np.where(wanted[:, None], new, kept)


def partition_rows(
    interactions: Interactions, vectors: NDArray[np.float32], catalogue: Catalogue, base: Base, config: RunConfig
) -> Rows:
    """The training rows and what public things there are to sort them by."""
    train = interactions.split == TRAIN
    rows = interactions.take(train)
    items, people = _public(base, catalogue, config.data.world if config.data.path is None else None)
    return Rows(
        user=rows.user,
        item=rows.item,
        label=rows.label,
        user_ids=rows.user_ids,
        row_keys=row_keys(rows, catalogue),
        vectors=vectors[train],
        item_vectors=items,
        public=people,
    )


@lru_cache(maxsize=1)
def _public(
    base: Base, catalogue: Catalogue, world: WorldConfig | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors of the items, and of people of a public cohort: the mean of their items' vectors."""
    items = item_vectors(base, catalogue.titles)
    cohort = public_cohort(catalogue, world)
    people = np.zeros((len(cohort.user_ids), items.shape[1]), np.float64)
    np.add.at(people, cohort.user, items[cohort.item])
    people /= np.bincount(cohort.user, minlength=len(people))[:, None]
    return items, people.astype(np.float32)


def public_cohort(catalogue: Catalogue, world: WorldConfig | None) -> Interactions:
    """People who are in no client: the generated world's own, or imagined ones."""
    if world is None:
        return imagined_cohort(catalogue, _PUBLIC_SEED, 1200).rows
    from fedrec.data.generated import make_world

    return make_world(world).cohort
