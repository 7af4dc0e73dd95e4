"""The adapters of a shard as training left them, each with the digest of what it was made from.

shards/0003/   slice-0.safetensors …: the adapter after each slice; shard.json: digests and hashes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fedrec.files import read_json, replacing, storing, write_json
from fedrec.models.adapter import State, state_hash

ABOUT = "~"  # before the digest of a shard that was made to be about as if it had been trained from those rows


@dataclass(frozen=True)
class ShardFiles:
    """The adapters of one shard, in the folder of a model."""

    model: Path
    shard: int

    @property
    def path(self) -> Path:
        return self.model / "shards" / f"{self.shard:04d}"

    @property
    def digests(self) -> tuple[str, ...]:
        """What each kept slice's adapter was made from."""
        return self._recorded("digests")

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of the adapter after each slice."""
        return self._recorded("adapters")

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
        pairs = zip(self.digests, wanted, strict=False)
        number = len([*takewhile(lambda pair: pair[0] in (pair[1], ABOUT + pair[1]), pairs)])
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

    def _recorded(self, what: str) -> tuple[str, ...]:
        path = self.path / "shard.json"
        record: dict[str, Any] = read_json(path) if path.exists() else {}
        return tuple(record.get(what, ()))

    def _slice(self, number: int) -> Path:
        return self.path / f"slice-{number}.safetensors"
