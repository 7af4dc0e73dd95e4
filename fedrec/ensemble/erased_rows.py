"""Erased rows that wait for their verification, encrypted beside the vault under a key of their own.

After the vault deleted them they are read once more, to see whether the retrained model tells them from rows it never
saw. `discard` overwrites and removes key and content; until then the request is not closed.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from fedrec import sealing
from fedrec.data.prompts import Window
from fedrec.files import shred, write_bytes


def hold(folder: Path, request: str, windows: list[Window], labels: list[int]) -> None:
    """Keep the prompts of a request's rows, with what the person said of each.

    Args:
        labels: of the rows that the windows' `rows` number, from 0.
    """
    arrays = {"labels": np.array(labels, np.int8)}
    for number, window in enumerate(windows):
        arrays |= {f"{number}/{name}": np.ascontiguousarray(value) for name, value in vars(window).items()}
    key = secrets.token_bytes(sealing.KEY_BYTES)
    write_bytes(folder / f"{request}.key", key)
    write_bytes(folder / f"{request}.rows", sealing.seal(key, request, save(arrays)))


def held(folder: Path, request: str) -> tuple[list[Window], list[int]]:
    """What `hold` kept; nothing where there is nothing, or a crash of the machine left it broken."""
    try:
        key, sealed = ((folder / f"{request}.{end}").read_bytes() for end in ("key", "rows"))
        arrays = load(sealing.unseal(key, request, sealed))
    except (FileNotFoundError, ValueError):
        return [], []
    labels = arrays.pop("labels").tolist()
    count = len({name.split("/")[0] for name in arrays})
    windows = [
        Window(arrays[f"{number}/ids"], arrays[f"{number}/at"], arrays[f"{number}/rows"]) for number in range(count)
    ]
    return windows, labels


def discard(folder: Path, request: str) -> None:
    """Destroy what was kept."""
    for path in (folder / f"{request}.key", folder / f"{request}.rows"):
        shred(path)
