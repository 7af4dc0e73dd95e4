"""A vault with rows in it, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.vault import Vault
from tests.clients.rows import CATALOGUE, make_rows


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = Vault.create(tmp_path / "own" / "vault.db")
    made.import_rows(make_rows(1), CATALOGUE)
    return made
