"""Whatever is wrong with a vault's files is one line with the mend."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedrec.errors import FedrecError, UsageError
from fedrec.vault import database
from fedrec.vault.vault import Vault
from tests.vault.rows import CATALOGUE, make_rows


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions count for root as well in here."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def fails(path: Path, message: str) -> None:
    with pytest.raises(FedrecError, match=message) as caught:
        Vault(path).users()
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_no_vault_there(tmp_path: Path) -> None:
    fails(tmp_path / "vault.db", "no vault there; `fedrec vault import")
    fails(tmp_path, "no vault there")


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    path.write_text("not a database at all, " * 100)
    fails(path, "not a vault")
    with pytest.raises(FedrecError, match="not a vault"):
        Vault.create(path)


def test_another_database_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE meta (a)")
    db.close()
    was = path.read_bytes()
    fails(path, "not a vault")
    with pytest.raises(FedrecError, match="not a vault"):
        Vault.create(path)
    assert path.read_bytes() == was


def test_another_version(vault: Vault, tmp_path: Path) -> None:
    vault.backup(tmp_path / "backup")
    with sqlite3.connect(tmp_path / "backup") as db:
        db.execute("UPDATE meta SET value = '9' WHERE name = 'schema'")
    db.close()
    fails(tmp_path / "backup", "a vault of version 9, this fedrec reads 3")
    with pytest.raises(FedrecError, match="version 9"):
        vault.restore(tmp_path / "backup")


def test_a_damaged_file(vault: Vault) -> None:
    content = bytearray(vault.path.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    vault.path.write_bytes(content)
    with pytest.raises(FedrecError, match="damaged: move it away and restore a backup"):
        vault.interactions(CATALOGUE)


def test_a_folder_that_cannot_be_written(vault: Vault) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with unprivileged(), pytest.raises(UsageError, match="no vault can be made there"):
            Vault.create(Path(folder) / "vault.db")
        with unprivileged(), pytest.raises(UsageError, match="no vault can be made there"):
            Vault.create(Path(folder) / "deeper" / "vault.db")
        made = Path(folder) / "old.db"
        made.write_bytes(vault.path.read_bytes())
        made.chmod(0o444)
        with unprivileged():
            fails(made, "give yourself write permission")


def test_a_missing_or_wrong_key(vault: Vault, tmp_path: Path) -> None:
    rows = make_rows(1)
    key = vault.key_path.read_bytes()
    vault.key_path.write_bytes(bytes(32))
    with pytest.raises(FedrecError, match="not the key of this vault"):
        vault.import_rows(rows, CATALOGUE)
    vault.key_path.unlink()
    with pytest.raises(FedrecError, match="key cannot be read"):
        Vault.create(vault.path).import_rows(rows, CATALOGUE)
    assert not vault.key_path.exists(), "a vault that has a key is never given another"
    vault.key_path.write_bytes(key)
    assert vault.import_rows(rows, CATALOGUE).repeated == len(rows)


def test_a_busy_vault(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 0.05)
    with database.writing(vault.path), pytest.raises(FedrecError, match="in use by another process"):
        vault.import_rows(make_rows(1), CATALOGUE)


def test_only_the_owner_may_read(vault: Vault, tmp_path: Path) -> None:
    vault.backup(tmp_path / "backup")
    for path in (vault.path, vault.key_path, tmp_path / "backup"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
