"""A client's adapter with its base and tokenizer in one folder, which plain PEFT loads without fedrec or the run."""

from __future__ import annotations

import shutil
from pathlib import Path

from clients.client_run import ClientRun
from fedrec.errors import FedrecError, UsageError
from fedrec.models.adapter import State, state_hash
from fedrec.models.base import load_base
from fedrec.models.files import folder_of, model_files
from fedrec.models.item_tokens import item_tokens, with_items
from fedrec.models.peft_folder import save_peft

BASE = "base"


def export(client: ClientRun, folder: Path, shard: int | None) -> dict[str, str | int]:
    """Write what a client serves into a new folder, with the files of the base model in `base/` beneath.

    Args:
        shard: which of the shards that are served; None where it is one.

    Returns:
        As `--json` tells it.

    Raises:
        UsageError: there is no such shard, or the folder is there already.
        FedrecError: nothing is served, or the base model is not the run's any more.
    """
    if folder.exists():
        raise UsageError(f"--to {folder}: is there already; name a new folder")
    chosen, state = _served(client, shard)
    base, folder = client.base, folder.resolve()
    files = folder_of(base.source, base.revision)
    assert files is not None  # it was loaded from there
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / BASE).mkdir(parents=True)
    for name, path in model_files(files).items():
        (partial / BASE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, partial / BASE / name)
    if base.items is not None:  # over its files, those of the base with its item tokens, in full precision
        whole = load_base(base.source, revision=base.revision)
        with_items(whole, base.items).model.save_pretrained(partial / BASE)
    base.tokenizer.save_pretrained(partial)
    save_peft(partial, state, client.config.lora, str(folder / BASE), item_tokens(base.model))
    partial.rename(folder)
    return {"client": client.name, "shard": chosen, "sha256": state_hash(state), "folder": str(folder)}


def _served(client: ClientRun, shard: int | None) -> tuple[int, State]:
    """The shard that is meant, and its adapter."""
    served = client.ensemble.adapters()
    shown = ", ".join(map(str, sorted(served)))
    if not served:
        raise FedrecError(
            f"client {client.name} serves no shard: they are withdrawn until the erasure under way is through"
        )
    if shard is None and len(served) > 1:
        raise UsageError(f"client {client.name} serves shards {shown}, an adapter each: name one with --shard")
    chosen = min(served) if shard is None else shard
    if chosen not in served:
        raise UsageError(f"--shard {chosen}: client {client.name} serves {shown}")
    return chosen, served[chosen]
