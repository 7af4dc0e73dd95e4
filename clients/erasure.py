"""What a client does when somebody is to be forgotten: say what it holds, stop serving it, delete it."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from clients.local import Client
from fedrec.data.selection import Selection
from fedrec.data.table import HISTORY, TRAIN
from fedrec.served import withdraw as withdraw_served


@dataclass(frozen=True)
class Held:
    """What a client holds of a selection: its rows, its users, and the shards that learnt from them."""

    rows: int
    users: tuple[str, ...]
    shards: tuple[int, ...]


def locate(client: Client, selection: Selection) -> Held:
    """A shard learnt from a person's rows if one of them taught it, or stood in the history of one that did."""
    rows = client.interactions
    gone = selection.mask(rows, client.run.catalogue)
    users = np.unique(rows.user[gone])
    taught = np.isin(rows.split, (TRAIN, HISTORY)) & gone
    shards = np.unique(client.shard_of_users()[np.unique(rows.user[taught])])
    return Held(int(gone.sum()), tuple(rows.user_ids[user] for user in users), tuple(int(s) for s in shards))


def withdraw(client: Client, selection: Selection, shards: Collection[int]) -> list[int]:
    """Serve without those shards, and let nobody of the selection judge the others; the shards that are left."""
    return withdraw_served(client.store, shards, locate(client, selection).users)


def erase(client: Client, selection: Selection, request: str) -> tuple[int, int]:
    """Delete the rows for good, and everything that was made of them; rows deleted, and rows left."""
    deleted = client.store.vault.erase(selection, request).rows
    store = client.store
    for path in (store.folder / "scores.npz", store.folder / "published.safetensors"):
        path.unlink(missing_ok=True)
    shutil.rmtree(store.folder / "training", ignore_errors=True)
    manifest = store.manifest or {"shards": []}
    served = {entry["folder"] for entry in manifest["shards"] if entry is not None}
    for folder in store.folder.glob("served-*/shard-*"):
        if f"{folder.parent.name}/{folder.name}" not in served:
            shutil.rmtree(folder)
    return deleted, store.vault.manifest()["rows"]
