"""A sharded model of one place: trained, measured, asked, and asked to forget."""

from __future__ import annotations

from pathlib import Path

METHOD = "method.json"  # written last of a model


def is_model(folder: Path) -> bool:
    """Whether the folder is one of a sharded model."""
    return (folder / METHOD).exists()
