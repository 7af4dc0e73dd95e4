"""Where things lie in the folder of a sharded model (`unlearning.shards.files`), and whether a folder is one."""

from __future__ import annotations

from pathlib import Path

METHOD = "method.json"  # written last of a model
RESULT, VAULT, TABLE = "result.json", "vault.db", "table.safetensors"


def is_model(folder: Path) -> bool:
    """Whether the folder is one of a sharded model."""
    return (folder / METHOD).exists()
