"""Which rows training reads, and which served shards learned from other rows than their client's vault has now.

A shard's uses are held against its present rows by one keyed digest. It does not tell rows that went from rows that
came, so a shard counts as changed in both cases: training it again once too often does no harm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.table import HISTORY, TRAIN, Interactions
from fedrec.store import Run
from fedrec.strategies import STRATEGIES


def teaches(rows: Interactions) -> NDArray[np.bool_]:
    """(n,) the rows that some training reads: those of it, and those of histories before a person's last one of it."""
    last = np.full(len(rows.user_ids), -1)
    np.maximum.at(last, rows.user, np.where(rows.split == TRAIN, np.arange(len(rows)), -1))
    return np.isin(rows.split, (TRAIN, HISTORY)) & (np.arange(len(rows)) <= last[rows.user])


def changed_shards(run: Run, name: str) -> tuple[int, ...]:
    """The shards a client serves that any round trained on other rows than those it would be trained on now.

    What is not served needs no second look: it is trained again before it is. Once the vault's key is destroyed only
    the number of rows is compared.

    Raises:
        FedrecError: the client has no vault, or it cannot be read.
    """
    store = run.client(name)
    rows, uses = store.interactions(), store.vault.uses()
    taught = teaches(rows)
    shard_of = run.shard_of(rows.user_ids)[rows.user]
    changed = []
    for shard in store.ensemble.named():
        of_shard = [use for use in uses if use.shard == shard]
        mine = [use for use in of_shard if use.run == run.name]
        if not mine:  # trained before the run's folder was renamed
            mine = [use for use in of_shard if use.run not in STRATEGIES]
        present = rows.take(taught & (shard_of == shard))
        known = len(present), store.vault.known_by(present, run.catalogue)
        if any((use.rows, use.digest and known[1]) != (known[0], use.digest) for use in mine):
            changed.append(shard)
    return tuple(changed)
