"""The finished rounds of a run on disk, and what is kept of the one at hand.

0003/             models.safetensors (the last round's only), round.json
0004.unfinished/  what clients answered in the round at hand
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fedrec.files import read_json, replacing, replacing_folder, storing, sync, write_json
from fedrec.protocol.adapters import Model, from_arrays, to_arrays

UNFINISHED = ".unfinished"
MODELS = "models.safetensors"


class Rounds:
    """Finished rounds in a folder, each in one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def last(self) -> int | None:
        """The newest finished round; None before round 0, which publishes the initial adapter."""
        done = [int(path.name) for path in self.folder.glob("*") if path.name.isdecimal()]
        return max(done, default=None)

    def write(self, number: int, models: Mapping[str, Model], entry: dict[str, Any]) -> None:
        """Finish a round: every client's model and what happened.

        Older rounds' models are removed, and what was kept of unfinished ones.
        """
        path = self.folder / f"{number:04d}"
        flat = {f"{client}|{name}": a for client in models for name, a in to_arrays(models[client]).items()}
        if path.exists():  # finished before, with other models
            with replacing(path / MODELS, durable=True) as partial, storing(partial):
                save_file(flat, partial)
            write_json(path / "round.json", entry)
        else:
            with replacing_folder(path) as fresh:
                with storing(fresh / MODELS):
                    save_file(flat, fresh / MODELS)
                write_json(fresh / "round.json", entry)
        self.drop_older()

    def drop_older(self) -> None:
        """Remove the models of older rounds than the last, and what was kept of unfinished ones."""
        for old in self.older_models():
            old.unlink()
            sync(old.parent)
        self.drop_unfinished()

    def older_models(self) -> list[Path]:
        """The models of older rounds than the last."""
        found = sorted(self.folder.glob(f"[0-9]*/{MODELS}"))
        return [path for path in found if path.parent.name.isdecimal() and int(path.parent.name) != self.last()]

    def drop_unfinished(self) -> None:
        """Remove what was kept of rounds that are not finished."""
        for kept in list(self.folder.glob(f"*{UNFINISHED}")):
            shutil.rmtree(kept)
            sync(self.folder)

    def unfinished(self, number: int) -> Path:
        """Where answers of a round are kept until it is written."""
        return self.folder / f"{number:04d}{UNFINISHED}"

    def models(self, number: int) -> dict[str, Model]:
        """Every client's model after that round."""
        arrays: dict[str, dict[str, NDArray[np.float32]]] = {}
        for key, array in load_file(self.folder / f"{number:04d}" / MODELS).items():
            client, _, name = key.rpartition("|")
            arrays.setdefault(client, {})[name] = array
        return {client: from_arrays(named) for client, named in arrays.items()}

    def retell(self, number: int, entry: dict[str, Any]) -> None:
        """Write anew what happened in a finished round."""
        write_json(self.folder / f"{number:04d}" / "round.json", entry)

    def entry(self, number: int) -> dict[str, Any]:
        """What happened in a finished round."""
        entry: dict[str, Any] = read_json(self.folder / f"{number:04d}" / "round.json")
        return entry

    def history(self) -> list[dict[str, Any]]:
        """What happened in each finished round."""
        last = self.last()
        return [self.entry(number) for number in range(0 if last is None else last + 1)]
