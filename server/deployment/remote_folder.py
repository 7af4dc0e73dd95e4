"""Whether a folder is that of a run which a deployed federation carries out."""

from __future__ import annotations

from pathlib import Path

DEPLOYED = "deployed.json"


def is_remote(folder: Path) -> bool:
    return (folder / DEPLOYED).is_file()
