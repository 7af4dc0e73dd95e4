"""What a client does when somebody is to be forgotten, beyond what every holder of rows does (`erasure_steps`)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from clients.client import Client
from clients.client_run import PUBLISHED
from clients.own_items import drop
from fedrec.data.selection import Selection
from fedrec.ensemble import erasure_steps
from fedrec.files import sync
from fedrec.models.adapter import State, to_state
from fedrec.protocol.adapters import Model
from fedrec.protocol.answers import RehearseAnswer
from fedrec.protocol.item_precision import without_known
from fedrec.vault.chain import Link


def erase(client: Client, selection: Selection, request: str) -> int:
    """Delete the rows for good, and what was made of them; the prompts wait, encrypted, for `rehearse`.

    Returns:
        Rows deleted.
    """
    deleted = erasure_steps.erase(client, selection, request)
    _forget_rounds(client)
    return deleted


def withdraw(client: Client, selection: Selection, shards: Sequence[int]) -> tuple[list[int], int]:
    """Stop serving some shards; nothing is left of the item rows that stay here, which they were served with.

    Returns:
        The shards that are left, and how many rows of the selection are here.
    """
    drop(client.store.folder, set(shards) & client.ensemble.named().keys())  # those not served may be training again
    return erasure_steps.withdraw(client, selection, shards)


def repeat(client: Client, links: Sequence[Link]) -> int:
    """Serve nothing until `serve`, and erase again what is missing here of some links; how many rows."""
    client.ensemble.withdraw_all(client.config.shards)
    drop(client.store.folder, range(client.config.shards))
    deleted = client.vault.repeat(links)
    erasure_steps.forget_made(client)
    _forget_rounds(client)
    return deleted


def rehearse(
    client: Client, requests: Sequence[str], model: Model, shards: Sequence[int], unseen: int
) -> RehearseAnswer:
    """How erased rows and rows never seen look to adapters that are not served yet."""
    found = erasure_steps.rehearse(client, requests, _states(client, model, shards), unseen)
    return RehearseAnswer(client=client.name, **vars(found))


def discard(client: Client, requests: Sequence[str]) -> None:
    """Destroy what `erase` kept for the verification, and whatever nothing answers from."""
    erasure_steps.discard_held(client, requests)
    for name, _ in client.store.unused():
        (client.store.folder / name).unlink(missing_ok=True)


def serve(client: Client, model: Model, shards: Sequence[int]) -> None:
    """Serve retrained adapters from now on, beside those that are served."""
    erasure_steps.serve(client, _states(client, model, shards))


def _states(client: Client, model: Model, shards: Sequence[int]) -> dict[int, State]:
    whole = client.with_own_items([without_known(state)[0] for state in model], shards)
    return {shard: to_state(state) for shard, state in zip(shards, whole, strict=True)}


def _forget_rounds(client: Client) -> None:
    """Remove what rounds left here: the model that the server sent last, and checkpoints."""
    folder = client.store.folder
    (folder / PUBLISHED).unlink(missing_ok=True)
    shutil.rmtree(folder / "training", ignore_errors=True)
    sync(folder)
