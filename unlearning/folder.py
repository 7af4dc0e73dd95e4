"""A sharded model on disk. Every file appears whole or not at all.

method.json          the run's configuration and the method; written last, when all of it is there
catalogue.json       the public items
base.json            the files of the base model
vault.db             the private rows, with tombstones of those that were erased (`fedrec.vault`)
table.safetensors    what is known of each row beside it (`unlearning.table`)
shards/0003/         slice-0.safetensors …: the adapter after each slice; shard.json: what they were made from
manifest.json, served/, judged.safetensors   the model that is served (`fedrec.ensemble.stored`)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fedrec.config import RunConfig, parse
from fedrec.data.table import Catalogue
from fedrec.ensemble.stored import Ensemble
from fedrec.files import read_json, replacing, storing, write_json
from fedrec.models.adapter import State, state_hash
from fedrec.vault.vault import Vault
from unlearning.jobs import agreeing
from unlearning.methods import method_from
from unlearning.methods.method import Method

METHOD = "method.json"


class ModelFolder:
    """The folder of one model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        content = read_json(folder / METHOD)
        self.config: RunConfig = parse(content["run"])
        self.method: Method = method_from(content["method"])

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def catalogue(self) -> Catalogue:
        items = read_json(self.folder / "catalogue.json")
        return Catalogue(tuple(items["ids"]), tuple(items["titles"]))

    @property
    def vault(self) -> Vault:
        return Vault(vault_path(self.folder))

    @property
    def ensemble(self) -> Ensemble:
        return Ensemble(self.folder, self)

    @property
    def called(self) -> str:
        return f"model {self.name}"

    @property
    def resume(self) -> str:
        return f"`fedrec unlearn train --resume {self.folder}`"

    @property
    def mend(self) -> str:
        return f"`fedrec forget run --run {self.folder}` has it serve what is newest"

    def users(self) -> list[str]:
        return [user for user, _ in self.vault.users()]

    def allowed(self) -> set[tuple[int, str]]:
        return self.vault.allowed("")

    def allow(self, adapters: Collection[tuple[int, str]]) -> None:
        self.vault.allow("", adapters)


def vault_path(folder: Path) -> Path:
    return folder / "vault.db"


def table_path(folder: Path) -> Path:
    return folder / "table.safetensors"


@dataclass(frozen=True)
class ShardFolder:
    """The adapters of one shard, as training left them."""

    path: Path

    @property
    def digests(self) -> tuple[str, ...]:
        """What each kept slice's adapter was made from."""
        return tuple(self._record["digests"])

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of the adapter after each slice."""
        return tuple(self._record["adapters"])

    def adapter(self, slice_: int = -1) -> State | None:
        """The adapter after a slice, the last without one; None where it is not there, or not as it was written."""
        if not (known := self.hashes):
            return None
        try:
            state: State = load_file(self._slice(slice_ % len(known)))
        except (OSError, SafetensorError):
            return None
        return state if state_hash(state) == known[slice_] else None

    def agreeing(self, wanted: Sequence[str]) -> tuple[int, State | None]:
        """How many slices from the first on need no training, and the adapter after them; none of none."""
        number = agreeing(self.digests, wanted)
        state = self.adapter(number - 1) if number else None
        return (0, None) if state is None else (number, state)

    def write(self, first: int, states: Sequence[State], digests: Sequence[str]) -> None:
        """Replace slices `first` and later."""
        hashes = list(self.hashes[:first])
        self.path.mkdir(parents=True, exist_ok=True)
        for number, state in enumerate(states, first):
            with replacing(self._slice(number)) as partial, storing(partial):
                save_file(state, partial)
            hashes.append(state_hash(state))
        write_json(self.path / "shard.json", {"digests": list(digests), "adapters": hashes})

    @property
    def _record(self) -> dict[str, list[str]]:
        path = self.path / "shard.json"
        record: dict[str, list[str]] = read_json(path) if path.exists() else {"digests": [], "adapters": []}
        return record

    def _slice(self, number: int) -> Path:
        return self.path / f"slice-{number}.safetensors"


def shard_folder(model: Path, shard: int) -> ShardFolder:
    return ShardFolder(model / "shards" / f"{shard:04d}")
