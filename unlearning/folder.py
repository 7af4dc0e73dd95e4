"""A sharded model on disk. Every file appears whole or not at all.

method.json          the run's configuration and the method; written last, when all of it is there
catalogue.json       the public items
table.safetensors    the private rows: places, vectors, validation scores
shards/0003/         slice-0.safetensors …: the adapter after each slice; shard.json: what they were made from
manifest.json        the hashes of the adapters that are served, by shard; changes atomically
pending.json         a deletion under way
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from fedrec.errors import FedrecError
from fedrec.files import read_json, replacing, storing, write_json
from fedrec.models.adapter import State, state_hash


@dataclass(frozen=True)
class ShardFolder:
    """The adapters of one shard."""

    path: Path

    @property
    def digests(self) -> tuple[str, ...]:
        """What each kept slice's adapter was made from."""
        path = self.path / "shard.json"
        return tuple(read_json(path)["digests"]) if path.exists() else ()

    @property
    def hash(self) -> str:
        """Of the adapter after the last slice."""
        digest: str = read_json(self.path / "shard.json")["adapters"][-1]
        return digest

    def adapter(self, slice_: int = -1) -> State:
        """The adapter after a slice; the last without one.

        Raises:
            FedrecError: it is not the one that was written there.
        """
        known = read_json(self.path / "shard.json")["adapters"]
        path = self._slice(slice_ % len(known))
        state: State = load_file(path)
        if state_hash(state) != known[slice_]:
            raise FedrecError(f"{path}: its content has changed; remove {self.path} and train again")
        return state

    def write(self, first: int, states: Sequence[State], digests: Sequence[str]) -> None:
        """Replace slices `first` and later."""
        hashes = read_json(self.path / "shard.json")["adapters"][:first] if first else []
        self.path.mkdir(parents=True, exist_ok=True)
        for number, state in enumerate(states, first):
            with replacing(self._slice(number)) as partial, storing(partial):
                save_file(state, partial)
            hashes.append(state_hash(state))
        write_json(self.path / "shard.json", {"digests": list(digests), "adapters": hashes})

    def _slice(self, number: int) -> Path:
        return self.path / f"slice-{number}.safetensors"


def shard_folder(model: Path, shard: int) -> ShardFolder:
    return ShardFolder(model / "shards" / f"{shard:04d}")


def read_manifest(model: Path) -> dict[int, str]:
    """The hash of each shard's adapter that is served."""
    path = model / "manifest.json"
    shards: dict[str, str] = read_json(path)["shards"] if path.exists() else {}
    return {int(shard): digest for shard, digest in shards.items()}


def write_manifest(model: Path, shards: Mapping[int, str]) -> None:
    write_json(model / "manifest.json", {"shards": {str(shard): shards[shard] for shard in sorted(shards)}})
