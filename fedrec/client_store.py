"""What a client keeps on its own side: its interactions, the model it serves, its training state.

vault.db             interactions, and tombstones of what was erased (a baseline reads the vaults of its run)
manifest.json, served/, judged.safetensors, rehearsed.safetensors: the model it serves (`fedrec.ensemble.stored`)
published.safetensors       the model the server sent last; training starts from it
personal-0003.safetensors   Ditto's personal model
scores.npz           the scores of its test rows by the served model
training/            checkpoints within the round
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.data.table import Catalogue, Interactions
from fedrec.ensemble.stored import Ensemble
from fedrec.errors import command
from fedrec.files import replacing
from fedrec.vault.vault import Vault

_SCORES = {"round", "shards", "scores", "labels", "users", "items", "times", "group", "rows"}


class ClientStore:
    """The folder of one client."""

    def __init__(self, folder: Path, catalogue: Catalogue, vault: Path | None = None, run: str = "") -> None:
        """
        Args:
            vault: where its rows are; none = in the folder.
            run: as its vault calls it: nothing for the run itself, or a baseline's name.
        """
        self.folder, self.catalogue, self._run = folder, catalogue, run
        self.vault_path = vault or folder / "vault.db"

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def vault(self) -> Vault:
        """
        Raises:
            FedrecError: there is none.
        """
        return Vault(self.vault_path)

    @property
    def has_vault(self) -> bool:
        return self.vault_path.exists()

    def users(self) -> list[str]:
        """Those who have rows here."""
        return [user for user, _ in self.vault.users()]

    def interactions(self) -> Interactions:
        return self.vault.interactions(self.catalogue)

    def write_interactions(self, interactions: Interactions) -> None:
        """Import them; what is tombstoned here does not come back."""
        self.vault_path.parent.mkdir(parents=True, exist_ok=True)
        Vault.create(self.vault_path).import_rows(interactions, self.catalogue)

    def record_use(self, run: str, shard: int, number: int, rows: Interactions) -> None:
        """Note the rows that round `number` of a run trained a shard on."""
        self.vault.record_use(run, shard, number, rows, self.catalogue)

    def allowed(self) -> set[tuple[int, str]]:
        """The shards and hashes of the adapters that may be served, by the word of the vault.

        What was withdrawn is none of them, whatever files are put back.
        """
        return self.vault.allowed(self._run)

    def allow(self, adapters: Collection[tuple[int, str]]) -> None:
        """Those may be served and no others, on the disk when this returns."""
        self.vault.allow(self._run, adapters)

    @property
    def ensemble(self) -> Ensemble:
        """The model that it serves."""
        return Ensemble(self.folder, self)

    @property
    def called(self) -> str:
        return f"client {self.name}"

    @property
    def resume(self) -> str:
        return command("simulate --resume", self._home)

    @property
    def mend(self) -> str:
        run = self.folder.parent.parent
        if run == self._home:
            return f"{command('forget run --run', run)} has it serve what is newest"
        return f"{self.resume} trains the baseline again"

    @property
    def _home(self) -> Path:
        run = self.folder.parent.parent
        return run.parent.parent if run.parent.name == "baselines" else run

    def write_scores(self, **columns: Any) -> None:
        with replacing(self.folder / "scores.npz") as partial, partial.open("wb") as file:
            np.savez(file, **columns)

    def scores(self) -> dict[str, NDArray[Any]] | None:
        """None where there are none, or none that can be read; they are kept anew whenever the model is measured."""
        try:
            with np.load(self.folder / "scores.npz", allow_pickle=False) as content:
                found = dict(content)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        return found if found.keys() >= _SCORES else None

    @property
    def has_scores(self) -> bool:
        """Whether the file is there, readable or not."""
        return (self.folder / "scores.npz").exists()

    def remove_scores(self) -> None:
        (self.folder / "scores.npz").unlink(missing_ok=True)


class CentralStore(ClientStore):
    """The one client of a central baseline: it reads every client's vault, and keeps only what it learned."""

    def __init__(self, folder: Path, catalogue: Catalogue, vaults: Mapping[str, Path], run: str) -> None:
        super().__init__(folder, catalogue, run=run)
        self._of = {name: ClientStore(folder, catalogue, vault, run) for name, vault in vaults.items()}

    def users(self) -> list[str]:
        return sorted({user for store in self._of.values() for user in store.users()})

    def interactions(self) -> Interactions:
        from fedrec.data.pooling import pooled

        return pooled({name: store.interactions() for name, store in self._of.items()})

    def record_use(self, run: str, shard: int, number: int, rows: Interactions) -> None:
        assert rows.client is not None
        for index, name in enumerate(rows.client_ids):
            self._of[name].record_use(run, shard, number, rows.take(rows.client == index))

    def allowed(self) -> set[tuple[int, str]]:
        return set.intersection(*(store.allowed() for store in self._of.values()))

    def allow(self, adapters: Collection[tuple[int, str]]) -> None:
        for store in self._of.values():
            store.allow(adapters)
