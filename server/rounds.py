"""The finished rounds of a run on disk, and what is kept of the one at hand.

0003/             models.safetensors (the last round's only), round.json
0004.unfinished/  what clients answered in the round at hand
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fedrec.errors import FedrecError
from fedrec.files import read_json, replacing, replacing_folder, storing, sync, write_json
from fedrec.protocol.adapters import Model, from_arrays, to_arrays

UNFINISHED = ".unfinished"
MODELS = "models.safetensors"


@dataclass(frozen=True)
class Dropped:
    """A client whose answer does not count, and why."""

    client: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What happened in a round, as round.json has it; what is None is not known of it, and not written.

    Attributes:
        train_loss: by client, nats.
        aggregation: what the strategy tells of it: lists by shard, named by the strategy.
        share: of the people, whose test rows are measured.
        clients: the metrics of each group of rows, with its `id`.
        epsilon: by client, what the trainings of its shards, by number, have spent; None = without bound.
        clip: by shard, the longest update that counts in the next round, where updates are cut.
        hashes: of a retraining, by client, of its adapters of the shards that are trained again.
    """

    round: int
    bytes_up: int = 0
    bytes_down: int = 0
    dropped: Sequence[Dropped] = ()
    asked: Sequence[str] | None = None
    participants: Sequence[str] | None = None
    train_loss: Mapping[str, float | None] | None = None
    skipped: str | None = None
    aggregation: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    share: float | None = None
    clients: Sequence[Mapping[str, Any]] | None = None
    overall: Mapping[str, float] | None = None
    epsilon: Mapping[str, Mapping[str, float | None]] | None = None
    clip: Mapping[str, float] | None = None
    hashes: Mapping[str, Sequence[str]] | None = None
    adapter_hash: str | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """KeyError, TypeError or AttributeError where it is none."""
        named = {each.name for each in fields(cls)} - {"aggregation"}
        known = {name: value for name, value in content.items() if name in named}
        rest = {name: value for name, value in content.items() if name not in named}
        return cls(**known | {"dropped": [Dropped(**each) for each in content["dropped"]], "aggregation": rest})

    def content(self) -> dict[str, Any]:
        """As JSON has it."""
        content: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            content |= value if each.name == "aggregation" else {} if value is None else {each.name: value}
        return content | {"dropped": [vars(each) for each in self.dropped]}


class Rounds:
    """Finished rounds in a folder, each in one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def last(self) -> int | None:
        """The newest finished round; None before round 0, which publishes the initial adapter."""
        done = [int(path.name) for path in self.folder.glob("*") if path.name.isdecimal()]
        return max(done, default=None)

    def path(self, number: int, file: str = "round.json") -> Path:
        """Where a file of a finished round is."""
        return self.folder / f"{number:04d}" / file

    def write(self, models: Mapping[str, Model], entry: Entry) -> None:
        """Finish a round: every client's model and what happened.

        Older rounds' models are removed, and what was kept of unfinished ones.
        """
        path = self.path(entry.round).parent
        flat = {f"{client}|{name}": a for client in models for name, a in to_arrays(models[client]).items()}
        if path.exists():  # finished before, with other models
            with replacing(path / MODELS, durable=True) as partial, storing(partial):
                save_file(flat, partial)
            self.write_entry(entry)
        else:
            with replacing_folder(path) as fresh:
                with storing(fresh / MODELS):
                    save_file(flat, fresh / MODELS)
                write_json(fresh / "round.json", entry.content())
        self.drop_older()

    def write_entry(self, entry: Entry) -> None:
        """Write anew what happened in a finished round."""
        write_json(self.path(entry.round), entry.content())

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
        for key, array in load_file(self.path(number, MODELS)).items():
            client, _, name = key.rpartition("|")
            arrays.setdefault(client, {})[name] = array
        return {client: from_arrays(named) for client, named in arrays.items()}

    def entry(self, number: int) -> Entry:
        """What happened in a finished round.

        Raises:
            FedrecError: its file does not say.
        """
        path = self.path(number)
        try:
            return Entry.of(read_json(path))
        except (KeyError, TypeError, AttributeError):
            raise FedrecError(f"{path}: not what happened in a round; restore it from a backup") from None

    def history(self) -> list[Entry]:
        """What happened in each finished round."""
        last = self.last()
        return [self.entry(number) for number in range(0 if last is None else last + 1)]
