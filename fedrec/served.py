"""The model a client serves, on its own disk: adapters by shard, and its validation rows as they answer them.

manifest.json is replaced atomically: a shard that is withdrawn is null in it from then on, and so is never read again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fedrec.config import RunConfig
from fedrec.data.prompts import PromptEncoder
from fedrec.errors import FedrecError
from fedrec.files import replacing, write_json
from fedrec.models.adapter import State, state_hash
from fedrec.models.base import Base
from fedrec.models.peft_folder import load_peft, save_peft
from fedrec.serving import Answers, Judged, model_hash
from fedrec.store import ClientStore


def serve(
    store: ClientStore, number: int, adapters: Mapping[int, State], judged: Judged, users: Sequence[str],
    config: RunConfig, base: str,
) -> str:  # fmt: skip
    """Serve adapters, by shard, from now on; the shards that have none are withdrawn.

    Args:
        number: the round they come from.
        users: (v,) whose each judging row is.

    Returns:
        SHA-256 of the model.
    """
    folder = store.folder / f"served-{number:04d}"
    fresh = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for shard, state in adapters.items():
        save_peft(fresh / f"shard-{shard}", state, config.lora, base)
    if folder.exists():  # the same round with other shards, after an erasure
        write_json(store.folder / "manifest.json", {"round": number, "shards": [None] * config.shards})
        shutil.rmtree(folder)
    fresh.rename(folder)
    write_judged(store, judged, users)
    hashes = {shard: state_hash(state) for shard, state in adapters.items()}
    entries = {s: {"folder": f"{folder.name}/shard-{s}", "sha256": digest} for s, digest in hashes.items()}
    shards = [entries.get(shard) for shard in range(config.shards)]
    write_json(store.folder / "manifest.json", {"round": number, "shards": shards})
    for path in store.folder.glob("served-*"):
        if path != folder:
            shutil.rmtree(path)
    return model_hash(list(hashes.values()))


def withdraw(store: ClientStore, shards: Collection[int], users: Collection[str]) -> list[int]:
    """Stop serving some shards, and being judged by some users' rows; the shards that are served from now on."""
    manifest = store.manifest
    if manifest is None:
        return []
    left = [None if shard in shards else entry for shard, entry in enumerate(manifest["shards"])]
    write_json(store.folder / "manifest.json", {**manifest, "shards": left})
    judged, whose = read_judged(store)
    kept = ~np.isin(np.array(whose, np.str_), list(users))
    write_judged(store, judged.take(kept), [user for user, keep in zip(whose, kept, strict=True) if keep])
    return [shard for shard, entry in enumerate(left) if entry is not None]


def answers_of(store: ClientStore, config: RunConfig, base: Base, encoder: PromptEncoder) -> Answers:
    """What the client answers with.

    Raises:
        FedrecError: it serves nothing yet, or an adapter is not the one that was written.
    """
    manifest = store.manifest
    if manifest is None:
        raise FedrecError(f"client {store.name} serves no model yet: continue with `fedrec simulate --resume`")
    judged, _ = read_judged(store)
    return Answers(
        base, config.lora, encoder.template.answers, adapters_in(store, manifest), judged, config.aggregator,
        config.aggregation, config.seed,
    )  # fmt: skip


def adapters_in(store: ClientStore, manifest: Mapping[str, object]) -> dict[int, State]:
    """The adapters that a manifest serves, by shard; FedrecError where one has changed on disk."""
    found: dict[int, State] = {}
    for shard, entry in enumerate(manifest["shards"]):  # type: ignore[arg-type, var-annotated]
        if entry is not None:
            state, _ = load_peft(store.folder / entry["folder"])
            if state_hash(state) != entry["sha256"]:
                raise FedrecError(f"{store.folder / entry['folder']}: its content has changed; publish the run again")
            found[shard] = state
    return found


def write_judged(store: ClientStore, judged: Judged, users: Sequence[str]) -> None:
    arrays: dict[str, NDArray[np.generic]] = {name: np.ascontiguousarray(a) for name, a in vars(judged).items()}
    with replacing(_judged(store)) as partial:
        save_file(arrays, partial, {"users": json.dumps(list(users), ensure_ascii=False)})


def read_judged(store: ClientStore) -> tuple[Judged, list[str]]:
    """The rows that judge the shards, and whose each is."""
    with safe_open(_judged(store), "np") as file:
        users: list[str] = json.loads(file.metadata()["users"])
    return Judged(**load_file(_judged(store))), users


def _judged(store: ClientStore) -> Path:
    return store.folder / "judged.safetensors"
