"""How far a batch has come, on disk, signed by the operator who carries it out.

Whoever can write the run could otherwise make up a verification that passed, or adapters that were never trained again,
and the next start would certify it. What is not signed so is not gone on with: it is done again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field

from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.protocol.adapters import Model, digest_of
from fedrec.settings import Section
from unlearning.audit.canonical import canonical, digest
from unlearning.executor import Executor, Retrained
from unlearning.operators.keys import verify
from unlearning.verification import Report
from unlearning.way import Way

_ROUNDS, _UNLEARNED = "rounds", "unlearned"
_SAYS = "progress"  # so that no other signature of the operator's is one of these


class Verified(Section):
    """What is noted of a batch once it is verified.

    Attributes:
        requests: that passed, each with its report.
        shards: that were trained again, or unlearned, for all of them.
        rounds: `mark` of that.
        after: what each client's rows that are left are known by.
        erasures: number and head of each client's last erasure then.
        served: that it was served again is in the audit log.
        way: of the answer that is served: exact, or approximate.
        bridge: the report of each request by which an approximate answer bridged to it; none where none did.
    """

    requests: tuple[str, ...] = ()
    reports: dict[str, Report] = Field(default_factory=dict)
    shards: tuple[int, ...]
    rounds: str
    after: dict[str, str]
    erasures: dict[str, tuple[int, str]]
    served: bool = False
    way: Way = Way.EXACT
    bridge: dict[str, Report] = Field(default_factory=dict)


class Bridging(Section):
    """What is noted of an approximate answer once it is served, until the exact one is.

    Attributes:
        reports: of the requests that it was verified for.
        shards: that it is of.
        rounds: `mark` of that unlearning.
    """

    reports: dict[str, Report]
    shards: tuple[int, ...]
    rounds: str
    way: Way = Way.APPROXIMATE


def name(ids: Sequence[str]) -> str:
    """Of a batch's folder. Another set of requests is another batch, which starts from the beginning."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]


def note(path: Path, key: Ed25519PrivateKey, content: Mapping[str, Any]) -> None:
    """Write what `noted` reads in this file."""
    write_json(path, {**content, "signature": key.sign(_message(path, content)).hex()})


def noted(path: Path, key: Ed25519PrivateKey) -> dict[str, Any] | None:
    """What the owner of the key noted there; None where nothing is, or somebody else's."""
    try:
        content = read_json(path)
        signature = bytes.fromhex(content.pop("signature"))
        signed = _message(path, content)
    except (FedrecError, OSError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return content if verify(key.public_key().public_bytes_raw(), signed, signature) else None


def named(path: Path) -> list[str]:
    """The requests that a batch's file names, whoever wrote it."""
    try:
        return list(map(str, read_json(path)["requests"]))
    except (FedrecError, KeyError, TypeError):
        return []


def mark(retrained: Retrained) -> str:
    """SHA-256 of what a retraining gave: who took part in each of its rounds, and each client's adapters."""
    models = {client: [digest_of(state) for state in model] for client, model in retrained.adapters.items()}
    took_part = [[each.shard, each.round, each.seed, dict(each.models)] for each in retrained.participation]
    return digest({"rounds": retrained.rounds, "participation": took_part, "adapters": models})


def retrain(executor: Executor, shards: Sequence[int], folder: Path, key: Ed25519PrivateKey) -> dict[str, Model]:
    """The shards of a batch trained again, from the rounds in its folder that the owner of the key saw finished."""
    rounds, path = folder / _ROUNDS, folder / "rounds.json"
    seen = noted(path, key)
    if rounds.exists() and (seen is None or seen["shards"] != [*shards] or not _are_there(executor, folder, seen)):
        shutil.rmtree(rounds)

    def finished() -> None:
        note(path, key, {"shards": [*shards], "rounds": mark(executor.retrained(shards, rounds))})

    return executor.retrain(shards, rounds, finished)


def answered(executor: Executor, shards: Sequence[int], folder: Path, way: Way) -> Retrained:
    """What a batch's folder has of the answer of a way."""
    if way == Way.APPROXIMATE:
        return executor.unlearned(shards, folder / _UNLEARNED)
    return executor.retrained(shards, folder / _ROUNDS)


def rounds_of(folder: Path, way: Way) -> Path:
    """Where a batch's folder keeps the rounds of the answer of a way."""
    return folder / (_UNLEARNED if way == Way.APPROXIMATE else _ROUNDS)


def note_verified(folder: Path, key: Ed25519PrivateKey, batch: Verified) -> None:
    """Write what `verified` reads of the batch in this folder."""
    note(folder / "batch.json", key, batch.model_dump(mode="json"))


def verified(executor: Executor, folder: Path, key: Ed25519PrivateKey) -> Verified | None:
    """What is noted of a batch that is verified; None where the owner of the key did not, or of other rounds."""
    batch = noted(folder / "batch.json", key)
    return Verified.model_validate(batch) if batch is not None and _are_there(executor, folder, batch) else None


def note_bridging(folder: Path, key: Ed25519PrivateKey, bridge: Bridging) -> None:
    """Write what `bridging` reads of the batch in this folder."""
    note(folder / "bridge.json", key, bridge.model_dump(mode="json"))


def bridging(executor: Executor, folder: Path, key: Ed25519PrivateKey) -> Bridging | None:
    """What is noted of an approximate answer that is served; None as `verified`."""
    found = noted(folder / "bridge.json", key)
    return Bridging.model_validate(found) if found is not None and _are_there(executor, folder, found) else None


def _are_there(executor: Executor, folder: Path, seen: Mapping[str, Any]) -> bool:
    """Whether a batch's rounds are those that were noted."""
    try:
        way = Way(seen.get("way", Way.EXACT))
        return mark(answered(executor, seen["shards"], folder, way)) == str(seen["rounds"])
    except Exception:  # whatever somebody put there
        return False


def _message(path: Path, content: Mapping[str, Any]) -> bytes:
    """A file is of its batch alone, which its folder is called by."""
    return canonical({"says": _SAYS, "of": f"{path.parent.name}/{path.name}", "content": dict(content)})
