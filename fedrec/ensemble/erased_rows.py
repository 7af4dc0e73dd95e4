"""Erased rows that wait for their verification, encrypted beside the vault under a key of their own.

After the vault deleted them they are read once more, to see whether the retrained model tells them from rows it never
saw. `discard` overwrites and removes key and content; until then the request is not closed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from fedrec import sealing
from fedrec.data.prompts import Window
from fedrec.files import shred, write_bytes


@dataclass(frozen=True)
class Erased:
    """Prompts of erased rows; rows are numbered from 0 as their windows have them, those between them too.

    Attributes:
        labels: (n,) what was said of each row that a window answers.
        users: (n,) whose each row is, among `people`, their ids.
    """

    windows: Sequence[Window] = ()
    labels: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    users: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    people: tuple[str, ...] = ()

    @property
    def asked(self) -> NDArray[np.intp]:
        """(k,) the rows that are answered, rising."""
        rows = [window.rows for window in self.windows]
        return np.sort(np.concatenate(rows)) if rows else np.zeros(0, np.intp)


def hold(folder: Path, request: str, erased: Erased) -> None:
    """Keep the prompts of a request's rows, with what each person said."""
    arrays: dict[str, NDArray[Any]] = {"labels": np.asarray(erased.labels, np.int8), "users": erased.users}
    arrays["people"] = np.frombuffer(json.dumps(erased.people).encode(), np.uint8)
    for number, window in enumerate(erased.windows):
        arrays |= {f"{number}/{name}": np.ascontiguousarray(value) for name, value in vars(window).items()}
    key = secrets.token_bytes(sealing.KEY_BYTES)
    write_bytes(folder / f"{request}.key", key)
    write_bytes(folder / f"{request}.rows", sealing.seal(key, request, save(arrays)))


def held(folder: Path, request: str) -> Erased:
    """What `hold` kept; nothing where there is nothing, or a crash of the machine left it broken."""
    try:
        key, sealed = ((folder / f"{request}.{end}").read_bytes() for end in ("key", "rows"))
        arrays = load(sealing.unseal(key, request, sealed))
        labels, users, people = (arrays.pop(name) for name in ("labels", "users", "people"))
    except (FileNotFoundError, ValueError, KeyError):
        return Erased()
    count = len({name.split("/")[0] for name in arrays})
    windows = [
        Window(arrays[f"{k}/ids"], arrays[f"{k}/at"], arrays[f"{k}/rows"], int(arrays[f"{k}/first"][0]))
        for k in range(count)
    ]
    return Erased(windows, labels, users, tuple(json.loads(people.tobytes())))


def held_requests(folder: Path) -> list[str]:
    """The requests of which something is kept."""
    return sorted(path.stem for path in folder.glob("*.rows"))


def discard(folder: Path, request: str) -> None:
    """Destroy what was kept."""
    for path in (folder / f"{request}.key", folder / f"{request}.rows"):
        shred(path)
