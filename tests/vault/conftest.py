"""A vault with rows in it, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedrec.vault import database
from fedrec.vault.vault import Vault
from tests.vault.rows import CATALOGUE, make_rows

# tests end processes, not the machine: nothing has to wait for the disk
database.PRAGMAS = (*database.PRAGMAS, "PRAGMA synchronous = OFF")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault.create(tmp_path / "own" / "vault.db")
    made.import_rows(make_rows(1), CATALOGUE)
    return made
