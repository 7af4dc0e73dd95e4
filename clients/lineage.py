"""Which rows training reads, and which served shards learned from other rows than their client's vault has now.

A shard's uses are held against its present rows by one keyed digest. It does not tell rows that went from rows that
came, so a shard counts as changed in both cases: training it again once too often does no harm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clients.client_run import ClientRun
from fedrec.config import TrainConfig
from fedrec.data.dataset import HISTORY, TRAIN, VALID, Interactions
from fedrec.data.user_hash import shard_of


def teaches(rows: Interactions, train: TrainConfig) -> NDArray[np.bool_]:
    """(n,) the rows that some training reads: those that it learns from or is stopped by, and the histories before."""
    asked = (TRAIN, VALID) if train.stop == "validation" else (TRAIN,)
    last = np.full(len(rows.user_ids), -1)
    np.maximum.at(last, rows.user, np.where(np.isin(rows.split, asked), np.arange(len(rows)), -1))
    return np.isin(rows.split, (*asked, HISTORY)) & (np.arange(len(rows)) <= last[rows.user])


def changed_shards(client: ClientRun, rows: Interactions) -> tuple[int, ...]:
    """The shards a client serves that any round trained on other rows than those it would be trained on now.

    What is not served needs no second look: it is trained again before it is. Once the vault's key is destroyed only
    the number of rows is compared.

    Args:
        rows: all that the client has.

    Raises:
        FedrecError: the client has no vault, or it cannot be read.
    """
    uses, taught = client.vault.uses(), teaches(rows, client.config.train)
    place = shard_of(rows.user_ids, client.config)[rows.user]
    changed = []
    for shard in client.ensemble.named():
        mine = [use for use in uses if use.shard == shard and use.run == client.id]
        present = rows.take(taught & (place == shard))
        known = len(present), client.vault.known_by(present, client.catalogue)
        if any((use.rows, use.digest and known[1]) != (known[0], use.digest) for use in mine):
            changed.append(shard)
    return tuple(changed)
