"""The evidence beside a certificate: a folder of canonical JSON files, and MANIFEST.json with the SHA-256 of each.

request.json         the request: at least `id` and `pseudonym`
signatures.json      who asked, approved and planned it: `unlearning.certificates.signatures`
operators.jsonl      the audit log's lines that tell of operators
plan.json            the impact plan: at least `thresholds`, fixed before the run
config.json          the resolved configuration
participation.jsonl  who took part in each round run again: `participation`
adapters.json        hashes before and after, as in the certificate
data_manifest.json   `before` and `after`: what each client's rows are known by, under a key of the client's;
                     `erasures_after`: number and head of each client's last erasure
verification.json    `unlearning.verification.Report`
audit.jsonl          `unlearning.audit.log.excerpt` for the request
bridge.json          where an approximate answer was served before the exact one: the report it was verified by
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedrec.files import replacing_folder
from fedrec.settings import Section
from unlearning.audit.canonical import canonical, parse
from unlearning.audit.chain import Line, linked
from unlearning.audit.fields import Count, Digest

MANIFEST = "MANIFEST.json"
_OBJECTS = ("request", "signatures", "plan", "config", "adapters", "data_manifest", "verification")
_LINES = ("operators", "participation", "audit")
PARTS = (*(f"{name}.json" for name in _OBJECTS), *(f"{name}.jsonl" for name in _LINES))
BRIDGE = "bridge.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\.jsonl?")


class Round(Section):
    """One round of one shard that was run again.

    Attributes:
        seed: from which the round's clients were drawn.
        models: the hash of each participating client's model after the round.
    """

    shard: Count
    round: Count
    seed: int
    models: dict[str, Digest]


def participation(rounds: Sequence[Round]) -> list[Line]:
    """The content of participation.jsonl: the rounds, each with the hash of the one before."""
    return linked(entry.model_dump(mode="json") for entry in rounds)


def write_bundle(folder: Path, parts: Mapping[str, Any]) -> str:
    """Write a bundle, whole or not at all, in place of one that is there; returns the SHA-256 of its manifest.

    Args:
        parts: content by file name; of a `.jsonl` a sequence of lines. All of `PARTS`, and others if need be.

    Raises:
        ValueError: a name is not that of a plain .json or .jsonl file, a part is missing, or has no canonical form.
    """
    for name in parts:
        if not _NAME.fullmatch(name):
            raise ValueError(f"evidence file {name!r}: use a plain name of small letters that ends in .json or .jsonl")
    if missing := sorted({*PARTS} - {*parts}):
        raise ValueError(f"evidence: {', '.join(missing)} missing")
    contents = {name: _encoded(name, content) for name, content in parts.items()}
    hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}
    manifest = canonical({"files": hashes})
    with replacing_folder(folder) as fresh:
        for name, raw in {**contents, MANIFEST: manifest}.items():
            (fresh / name).write_bytes(raw)
    return hashlib.sha256(manifest).hexdigest()


def as_written(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Parts as they are read from the files that `write_bundle` writes of them."""
    return {name: decoded(name, _encoded(name, content)) for name, content in parts.items()}


def decoded(name: str, raw: bytes) -> Any:
    """What the bytes of a bundle's file say; of a `.jsonl` a list of lines.

    Raises:
        ValueError: they are not canonical.
    """
    try:
        return [parse(line) for line in raw.split(b"\n")[:-1]] if name.endswith(".jsonl") else parse(raw)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def read_manifest(raw: bytes) -> dict[str, str]:
    """The SHA-256 of each file by name.

    Raises:
        ValueError: it is not a manifest, or names something else than plain files.
    """
    content = parse(raw)
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(_NAME.fullmatch(name) for name in files):
        raise ValueError("not a list of plain files")
    return files


def _encoded(name: str, content: Any) -> bytes:
    if name.endswith(".jsonl"):
        return b"".join(canonical(line) + b"\n" for line in content)
    return canonical(content)
