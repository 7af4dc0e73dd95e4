"""The model a client serves, on its own disk: adapters by shard, and its validation rows as they answer them.

manifest.json is replaced atomically: a shard that is withdrawn is null in it from then on, and so is never read again.
Before it changes, the client's vault says which adapters may be served: an old manifest put back serves nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from fedrec.client_store import ClientStore
from fedrec.config import RunConfig
from fedrec.data.prompts import PromptEncoder
from fedrec.ensemble.aggregators import AGGREGATORS
from fedrec.ensemble.answers import Answers, Judged
from fedrec.ensemble.validation import Judgement
from fedrec.errors import FedrecError, command
from fedrec.files import replacing, replacing_folder, storing, write_json
from fedrec.models.adapter import State, state_hash
from fedrec.models.base import Base
from fedrec.models.peft_folder import load_peft, save_peft

JUDGED = "judged.safetensors"
REHEARSED = "rehearsed.safetensors"  # what is known already of adapters that are to be served next


def serve(
    store: ClientStore, number: int, adapters: Mapping[int, State], judgement: Judgement, config: RunConfig, base: str
) -> None:
    """Serve adapters, by shard, from now on; the shards that have none are withdrawn.

    Args:
        number: the round they come from.
        judgement: of these adapters.
    """
    folder = store.folder / f"served-{number:04d}"
    if folder.exists():  # published before, and broken off
        write_json(store.folder / "manifest.json", {"round": number, "shards": [None] * config.shards})
    with replacing_folder(folder) as fresh:
        for shard, state in adapters.items():
            save_peft(fresh / f"shard-{shard}", state, config.lora, base)
    write_judgement(store, judgement)
    (store.folder / REHEARSED).unlink(missing_ok=True)
    hashes = {shard: judgement.adapters[shard] for shard in adapters}
    entries = {s: {"folder": f"{folder.name}/shard-{s}", "sha256": digest} for s, digest in hashes.items()}
    shards = [entries.get(shard) for shard in range(config.shards)]
    _allow(store, hashes)
    write_json(store.folder / "manifest.json", {"round": number, "shards": shards})
    for path in store.folder.glob("served-*"):
        if path != folder:
            shutil.rmtree(path)


def serve_beside(
    store: ClientStore, adapters: Mapping[int, State], judgement: Judgement, config: RunConfig, base: str
) -> None:
    """Serve adapters, by shard, beside those that are served, which stay as they are.

    Args:
        judgement: of these adapters and those.
    """
    manifest = _manifest(store)
    folder, shards = f"served-{manifest['round']:04d}", list(manifest["shards"])
    for shard, state in adapters.items():
        entry = {"folder": f"{folder}/shard-{shard}", "sha256": judgement.adapters[shard]}
        if shards[shard] != entry:  # otherwise it is served already, since a start that was broken off
            path = store.folder / entry["folder"]
            with replacing_folder(path) as fresh:
                save_peft(fresh, state, config.lora, base)
            shards[shard] = entry
    write_judgement(store, judgement)
    (store.folder / REHEARSED).unlink(missing_ok=True)
    _allow(store, {shard: judgement.adapters[shard] for shard in adapters})
    write_json(store.folder / "manifest.json", {**manifest, "shards": shards})


def withdraw(store: ClientStore, shards: Collection[int], users: Collection[str]) -> list[int]:
    """Stop serving some shards, and being judged by some users' rows; the shards that are served from now on."""
    (store.folder / REHEARSED).unlink(missing_ok=True)
    store.allow([(shard, digest) for shard, digest in store.allowed() if shard not in shards])
    manifest = store.manifest
    if manifest is None:
        return []
    left = [None if shard in shards else entry for shard, entry in enumerate(manifest["shards"])]
    write_json(store.folder / "manifest.json", {**manifest, "shards": left})
    if (judgement := read_judgement(store)) is not None:
        write_judgement(store, judgement.without(list(users)), durable=False)  # until `erase`, for quickness
    else:
        (store.folder / JUDGED).unlink(missing_ok=True)  # broken: nobody can tell whose rows are in it
    return [shard for shard, entry in enumerate(left) if entry is not None]


def answers_of(store: ClientStore, config: RunConfig, base: Base, encoder: PromptEncoder) -> Answers:
    """What the client answers with.

    Raises:
        FedrecError: it serves nothing yet, or an adapter is not the one that was written.
    """
    adapters = adapters_in(store)
    if (judgement := read_judgement(store)) is not None:
        gone = set(judgement.users) - set(store.users())  # put back, or erased from the vault alone
        judged = judgement.without(sorted(gone)).judged if gone else judgement.judged
    elif AGGREGATORS[config.aggregator].judges:
        raise FedrecError(f"{store.folder / JUDGED}: not there, or cannot be read; restore it from a backup")
    else:
        judged = Judged.nobody(config.shards)
    return answers_by(base, config, encoder, adapters, judged)


def answers_by(
    base: Base, config: RunConfig, encoder: PromptEncoder, adapters: Mapping[int, State], judged: Judged
) -> Answers:
    """The answers of some adapters, by shard, as a run combines them.

    Once erasures leave no row to judge the shards by, they count equally.
    """
    aggregator = config.aggregator
    if AGGREGATORS[aggregator].judges and not len(judged.labels):
        aggregator = "average-d" if AGGREGATORS[aggregator].form == "D" else "average-nd"
    return Answers(
        base, config.lora, encoder.template.answers, adapters, judged, aggregator, config.aggregation, config.seed
    )


def hashes_in(store: ClientStore) -> dict[int, str]:
    """The hash of each adapter that is served, by shard; FedrecError where one of them was withdrawn before."""
    return hashes_of(_manifest(store))


def adapters_in(store: ClientStore) -> dict[int, State]:
    """The adapters that are served, by shard; FedrecError where one has changed on disk."""
    found: dict[int, State] = {}
    for shard, entry in enumerate(_manifest(store)["shards"]):
        if entry is not None:
            state, _ = load_peft(store.folder / entry["folder"])
            if state_hash(state) != entry["sha256"]:
                raise FedrecError(f"{store.folder / entry['folder']}: its content has changed; publish the run again")
            found[shard] = state
    return found


def is_allowed(store: ClientStore) -> bool:
    """Whether its manifest is none that was put back: whatever it names may be served."""
    manifest = store.manifest
    return manifest is not None and _may_serve(store, manifest)


def is_measured_here(store: ClientStore) -> bool:
    """Whether judged rows and scores are of people who are in the vault, and judged by the adapters that are served."""
    judgement, scores, manifest = read_judgement(store), store.scores(), store.manifest
    people = set(judgement.users) if judgement else set()
    if scores is not None:
        people |= set(map(str, scores["users"]))
    by = dict(enumerate(judgement.adapters)) if judgement else {}
    served = hashes_of(manifest) if manifest is not None else {}
    return people <= set(store.users()) and all(by.get(shard, digest) == digest for shard, digest in served.items())


def withdraw_all(store: ClientStore, number: int, shards: int) -> None:
    """Serve nothing of all shards, whatever is there; `number` is the round of what is to be served next."""
    store.allow(())
    for path in (store.folder / JUDGED, store.folder / REHEARSED):
        path.unlink(missing_ok=True)
    write_json(store.folder / "manifest.json", {"round": number, "shards": [None] * shards})
    for folder in store.folder.glob("served-*"):
        shutil.rmtree(folder)


def _allow(store: ClientStore, adapters: Mapping[int, str]) -> None:
    """These may be served from now on, beside those that are."""
    now = hashes_of(manifest) if (manifest := store.manifest) is not None else {}
    store.allow(store.allowed() & set(now.items()) | set(adapters.items()))


def _may_serve(store: ClientStore, manifest: Mapping[str, Any]) -> bool:
    return set(hashes_of(manifest).items()) <= store.allowed()


def hashes_of(manifest: Mapping[str, Any]) -> dict[int, str]:
    """The hash of each adapter that a manifest names, by shard."""
    return {shard: str(entry["sha256"]) for shard, entry in enumerate(manifest["shards"]) if entry is not None}


def _manifest(store: ClientStore) -> dict[str, Any]:
    run = store.folder.parent.parent
    home = run.parent.parent if run.parent.name == "baselines" else run
    again = command("simulate --resume", home)
    if (manifest := store.manifest) is None:
        raise FedrecError(f"client {store.name} serves no model yet: continue with {again}")
    if not _may_serve(store, manifest):
        newest = f"{command('forget run --run', run)} has it serve what is newest"
        mend = newest if home is run else f"{again} trains the baseline again"
        raise FedrecError(
            f"client {store.name} would serve what was withdrawn: {store.folder / 'manifest.json'} is an old one that"
            f" was put back; {mend}"
        )
    return manifest


def write_judgement(store: ClientStore, judgement: Judgement, name: str = JUDGED, durable: bool = True) -> None:
    judged = judgement.judged
    arrays: dict[str, NDArray[np.generic]] = {name: np.ascontiguousarray(a) for name, a in vars(judged).items()}
    names = {name: json.dumps(getattr(judgement, name), ensure_ascii=False) for name in _NAMES}
    with replacing(store.folder / name, durable) as partial, storing(partial):
        save_file(arrays, partial, names)


def read_judgement(store: ClientStore, name: str = JUDGED) -> Judgement | None:
    """The rows that judge the shards; none where nothing was served yet, nothing rehearsed, or it cannot be read."""
    try:
        return Judgement(Judged(**load_file(store.folder / name)), **_names_in(store, name))
    except (OSError, SafetensorError, TypeError, ValueError):
        return None


def judged_users(store: ClientStore) -> tuple[str, ...]:
    """Whose each judged row is; nobody's where it cannot be read."""
    try:
        return _names_in(store, JUDGED)["users"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return ()


_NAMES = ("users", "timelines", "adapters")


def _names_in(store: ClientStore, name: str) -> dict[str, tuple[str, ...]]:
    with safe_open(store.folder / name, "np") as file:
        return {name: tuple(json.loads(text)) for name, text in (file.metadata() or {}).items()}
