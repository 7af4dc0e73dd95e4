"""A sharded model on disk. Every file appears whole or not at all.

method.json          the run's configuration and the method; written last, when all of it is there
catalogue.json       the public items
base.json            the files of the base model
vault.db             the private rows, with tombstones of those that were erased (`fedrec.vault`)
table.safetensors    what is known of each row beside it (`unlearning.central.row_table`)
shards/0003/         slice-0.safetensors …: the adapter after each slice; shard.json: what they were made from
manifest.json, served/, judged.safetensors, scores.npz   the model that is served (`fedrec.ensemble.serving`)
facts.json, result.json, report.html   what is known of the data and the training, what was measured, and the page
erasure/             requests, certificates (`unlearning.workflow`)
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedrec.config import RunConfig, parse
from fedrec.data.dataset import Catalogue
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, command
from fedrec.files import read_json
from fedrec.pinned import read_catalogue
from fedrec.vault.vault import Vault
from unlearning.central.row_table import RowTable

if TYPE_CHECKING:
    from fedrec.ensemble.serving import Ensemble
    from unlearning.methods.method import Method

CENTRAL = "central"  # who holds the rows, where a federation has its clients
METHOD, FACTS, RESULT, VAULT, TABLE = "method.json", "facts.json", "result.json", "vault.db", "table.safetensors"


def is_model(folder: Path) -> bool:
    """Whether the folder is one of a sharded model."""
    return (folder / METHOD).exists()


class ModelFolder:
    """The folder of one model at rest: what requests about it need. What computes is imported when it is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._content = read_json(folder / METHOD)
        self.config: RunConfig = parse(self._content["run"])

    @cached_property
    def method(self) -> Method:
        from unlearning.methods import method_from

        return method_from(self._content["method"])

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.folder / "catalogue.json", self.config)

    @property
    def vault(self) -> Vault:
        return Vault(self.folder / VAULT)

    @property
    def ensemble(self) -> Ensemble:
        from fedrec.ensemble.serving import Ensemble, Keeper

        mend = f"{command('forget run --run', self.folder)} has it serve what is newest"
        return Ensemble(self.folder, Keeper(self.vault, "", self.called, self.resume, mend))

    @property
    def called(self) -> str:
        return f"model {self.name}"

    @property
    def resume(self) -> str:
        return command("unlearn train --resume", self.folder)

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
        return dict(read_json(self.folder / RESULT))

    def clients_of(self) -> dict[str, tuple[str, ...]]:
        return {user: self.clients for user, _ in self.vault.users()}

    def holds(self, selection: Selection, client: str | None) -> bool:
        return bool(selection.mask(self.table.interactions, self.catalogue).any())

    def titles_of_only(self, selection: Selection) -> int | None:
        """How many titles only the selected rows have; None where the catalogue is a list of its own."""
        if read_json(self.folder / FACTS).get("listed"):
            return None
        items = self.table.interactions.item
        gone = selection.mask(self.table.interactions, self.catalogue)
        return len(np.setdiff1d(items[gone], items[~gone]))

    def shard_sizes(self) -> dict[str, list[int]]:
        """How many people teach each shard."""
        table = self.table
        people = [np.unique(table.interactions.user[table.assignment.shard == s]) for s in range(self.config.shards)]
        return {CENTRAL: [len(each) for each in people]}

    def changed_shards(self) -> dict[str, tuple[int, ...]]:
        """The shards that are served and learnt from other rows than they would be trained on now."""
        table, vault = self.table, self.vault
        used = {use.shard: (use.rows, use.digest) for use in vault.uses() if use.run == CENTRAL}
        changed = []
        for shard in self.ensemble.named():
            rows, digest = used.get(shard, (-1, None))
            present = table.taught(shard, self.config.train)
            if rows != len(present) or digest not in (None, vault.known_by(present, self.catalogue)):
                changed.append(shard)
        return {CENTRAL: tuple(changed)} if changed else {}

    def note_use(self, shards: Collection[int]) -> None:
        """Have the vault know the rows that some shards learn from, before they do."""
        table, vault = self.table, self.vault
        for shard in shards:
            vault.record_use(CENTRAL, shard, self.rounds, table.taught(shard, self.config.train), self.catalogue)

    @property
    def table(self) -> RowTable:
        """The rows, and what is known of each."""
        return RowTable.load(self.folder / TABLE, self.vault.interactions(self.catalogue), self.catalogue)

    def kept(self) -> dict[int, str]:
        """The hash of the adapter that training left, by shard."""
        from unlearning.shards.files import ShardFiles

        hashes = {shard: ShardFiles(self.folder, shard).hashes for shard in range(self.config.shards)}
        return {shard: each[-1] for shard, each in hashes.items() if each}
