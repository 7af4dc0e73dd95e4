"""The files that a base model is read from, and how they are told apart: by size and times, which costs nothing, and by
their bytes."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.files import read_json

Stamp = tuple[int, int, int]
"""Size in bytes, and when content and entry changed, in nanoseconds; the last cannot be set at will."""

_READ = (
    "config.json", "*.safetensors", "*.bin", "*.index.json", "tokenizer*", "*.model", "*.tiktoken", "vocab*",
    "merges.txt", "added_tokens.json", "special_tokens_map.json",
)  # fmt: skip


def folder_of(name: str, revision: str | None = None) -> Path | None:
    """Where the files of a base are: its folder, or the snapshot of a hub id in the cache; None where they are not."""
    if Path(name).is_dir():
        return Path(name).resolve()
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(name, "config.json", revision=revision, local_files_only=True)
    except (OSError, ValueError):  # not there, or no name of the hub's at all
        return None
    return None if found is None else Path(found).parent


def model_files(folder: Path) -> dict[str, Path]:
    """The files in a folder that loading a model or its tokenizer may read, by name.

    Raises:
        FedrecError: an index names weights outside the folder.
    """
    found = [path for path in sorted(folder.iterdir()) if any(fnmatch(path.name, pattern) for pattern in _READ)]
    named = {path.name: path for path in found if path.is_file()}
    for path in [path for path in found if path.name.endswith(".index.json")]:
        shards = {str(shard) for shard in read_json(path).get("weight_map", {}).values()}  # may lie in folders below
        if outside := sorted(shard for shard in shards if Path(shard).is_absolute() or ".." in Path(shard).parts):
            raise FedrecError(f"{path}: names weights outside the folder ({outside[0]}); move them into it")
        named |= {shard: folder / shard for shard in shards if (folder / shard).is_file()}
    return dict(sorted(named.items()))


def stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def sha256(path: Path) -> str:
    """Of the bytes of a file, which are read once in a process while its stamp stays."""
    return _sha256(path, stamp(path))


@lru_cache(maxsize=1024)
def _sha256(path: Path, _: Stamp) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
