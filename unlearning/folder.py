"""A sharded model on disk. Every file appears whole or not at all.

method.json          the run's configuration and the method; written last, when all of it is there
catalogue.json       the public items
base.json            the files of the base model
vault.db             the private rows, with tombstones of those that were erased (`fedrec.vault`)
table.safetensors    what is known of each row beside it (`unlearning.table`)
shards/0003/         slice-0.safetensors …: the adapter after each slice; shard.json: what they were made from
manifest.json, served/, judged.safetensors, scores.npz   the model that is served (`fedrec.ensemble.stored`)
facts.json, result.json, report.html   what is known of the data and the training, what was measured, and the page
erasure/             requests, certificates (`unlearning.workflow`)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fedrec.config import RunConfig, parse
from fedrec.data.selection import Selection
from fedrec.data.table import Catalogue
from fedrec.ensemble.stored import Ensemble
from fedrec.errors import FedrecError, command
from fedrec.files import read_json, replacing, storing, write_json
from fedrec.models.adapter import State, state_hash
from fedrec.vault.vault import Vault
from unlearning.central import METHOD
from unlearning.jobs import agreeing
from unlearning.methods import method_from
from unlearning.methods.method import Method
from unlearning.places import reads
from unlearning.table import Table, load_table

RESULT, VAULT, TABLE = "result.json", "vault.db", "table.safetensors"
CENTRAL = "central"  # who holds the rows, where a federation has its clients


class ModelFolder:
    """The folder of one model: what requests and questions about it need, without the base model."""

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
        return Vault(self.folder / VAULT)

    @property
    def ensemble(self) -> Ensemble:
        return Ensemble(self.folder, self)

    @property
    def called(self) -> str:
        return f"model {self.name}"

    @property
    def resume(self) -> str:
        return command("unlearn train --resume", self.folder)

    @property
    def mend(self) -> str:
        return f"{command('forget run --run', self.folder)} has it serve what is newest"

    @property
    def clients(self) -> tuple[str, ...]:
        return (CENTRAL,)

    @property
    def rounds(self) -> int:
        """Those of a shard's training: its slices."""
        return self.method.slices

    @property
    def configuration(self) -> dict[str, Any]:
        config, method = self.config.model_dump(mode="json"), self.method.model_dump(mode="json")
        return {**config, "method": method, "rounds": self.rounds}

    @property
    def result(self) -> dict[str, Any]:
        """What was measured.

        Raises:
            FedrecError: the model is not trained to its end.
        """
        if not (self.folder / RESULT).exists():
            raise FedrecError(f"{self.folder} is not finished: {self.resume} goes on")
        result: dict[str, Any] = read_json(self.folder / RESULT)
        return result

    def users(self) -> list[str]:
        return [user for user, _ in self.vault.users()]

    def beyond(self, whose: Sequence[str], split: int) -> set[str]:
        return self.vault.beyond(whose, split)

    def clients_of(self) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.users(), self.clients)

    def holds(self, selection: Selection, client: str | None) -> bool:
        return bool(selection.mask(self.table.interactions, self.catalogue).any())

    def changed_shards(self) -> dict[str, tuple[int, ...]]:
        """The shards that are served and learnt from other rows than they would be trained on now."""
        table, vault = self.table, self.vault
        used = {use.shard: (use.rows, use.digest) for use in vault.uses() if use.run == CENTRAL}
        changed = []
        for shard in self.ensemble.named():
            rows, digest = used.get(shard, (-1, None))
            present = table.interactions.take(reads(table.interactions, table.places.shard == shard))
            if rows != len(present) or digest not in (None, vault.known_by(present, self.catalogue)):
                changed.append(shard)
        return {CENTRAL: tuple(changed)} if changed else {}

    def note_use(self, shards: Collection[int]) -> None:
        """Have the vault know the rows that some shards learn from, before they do."""
        table, vault = self.table, self.vault
        for shard in shards:
            rows = table.interactions.take(reads(table.interactions, table.places.shard == shard))
            vault.record_use(CENTRAL, shard, self.rounds, rows, self.catalogue)

    @property
    def table(self) -> Table:
        """The rows, and what is known of each."""
        return load_table(self.folder / TABLE, self.vault.interactions(self.catalogue), self.catalogue)

    def kept(self) -> dict[int, str]:
        """The hash of the adapter that training left, by shard."""
        hashes = {shard: shard_folder(self.folder, shard).hashes for shard in range(self.method.shards)}
        return {shard: each[-1] for shard, each in hashes.items() if each}

    def allowed(self) -> set[tuple[int, str]]:
        return self.vault.allowed("")

    def allow(self, adapters: Collection[tuple[int, str]]) -> None:
        self.vault.allow("", adapters)


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
