"""Deleted means deleted: no byte of the erased is in any file of the vault's folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.selection import Selection, row_keys
from fedrec.errors import FedrecError
from fedrec.vault import database, vault
from fedrec.vault.vault import Vault

PERSON = "Zoë-the-one"
TIME = 1_234_567_890_123  # in nobody else's row; SQLite writes integers big-endian, in 6 bytes here
ITEM = "an item of hers alone"
CATALOGUE = Catalogue((*(f"item-{i}" for i in range(50)), ITEM), ("",) * 51)


def traces(folder: Path, extra: tuple[bytes, ...] = ()) -> list[str]:
    """What of the person is in which file."""
    marks = (*(text.encode(code) for text in (PERSON, ITEM) for code in ("utf-8", "utf-16-le", "utf-16-be")),
             TIME.to_bytes(6, "big"), *extra)  # fmt: skip
    return [path.name for path in folder.iterdir() for mark in marks if mark in path.read_bytes()]


@pytest.fixture
def filled(tmp_path: Path) -> Vault:
    """Twenty people with 100 rows each, written in two imports, and the one."""
    random = np.random.default_rng(0)
    made = Vault.create(tmp_path / "own" / "vault.db")
    names = (*(f"user {i}" for i in range(20)), PERSON)
    user = np.repeat(np.arange(21), 100).astype(np.int32)
    item = random.integers(0, 50, 2100).astype(np.int32)
    item[user == 20] = 50
    time = np.where(user == 20, TIME, random.integers(0, 10**9, 2100))
    rows = Interactions(user, item, np.ones(2100, np.int8), time, np.zeros(2100, np.int8), names)
    made.import_rows(rows.take(rows.user % 2 == 0), CATALOGUE)
    made.import_rows(rows, CATALOGUE)
    assert traces(made.path.parent)
    return made


SELECTIONS = {
    "user": lambda rows: Selection(users=(PERSON,)),
    "item": lambda rows: Selection(items=(ITEM,)),
    "dates": lambda rows: Selection(since=TIME - 500, until=TIME + 500),
    "rows": lambda rows: Selection(
        rows=tuple(set(row_keys(rows.take(rows.user == rows.user_ids.index(PERSON)), CATALOGUE).tolist()))
    ),
}


@pytest.mark.parametrize("kind", SELECTIONS)
def test_nothing_of_the_erased_is_left(filled: Vault, kind: str) -> None:
    selection = SELECTIONS[kind](filled.interactions(CATALOGUE))
    assert filled.erase(selection, "r1").rows == 100
    assert traces(filled.path.parent) == []
    filled.import_rows(filled.interactions(CATALOGUE), CATALOGUE)
    filled.backup(filled.path.with_name("backup"))
    assert traces(filled.path.parent) == []


def test_the_log_beside_an_open_vault_holds_nothing_either(filled: Vault) -> None:
    """Another connection keeps the write-ahead log from being removed."""
    with database.connect(filled.path) as other:
        other.execute("SELECT count(*) FROM rows").fetchone()
        filled.erase(Selection(users=(PERSON,)), "r1")
        assert filled.path.with_name("vault.db-wal").exists()
        assert traces(filled.path.parent) == []
    other.close()


def test_a_refused_row_leaves_nothing(filled: Vault) -> None:
    rows = filled.interactions(CATALOGUE)
    filled.backup(backup := filled.path.parent.parent / "backup")
    filled.erase(Selection(users=(PERSON,)), "r1")
    assert filled.import_rows(rows, CATALOGUE).refused == filled.restore(backup).refused == 100
    assert traces(filled.path.parent) == []


def test_without_the_clearing_it_would_be_found(filled: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the search finds what SQLite leaves behind by itself."""
    monkeypatch.setattr(database, "PRAGMAS", ("PRAGMA secure_delete = OFF",))
    monkeypatch.setattr(vault, "scrub", lambda path: None)
    filled.erase(Selection(users=(PERSON,)), "r1")
    assert traces(filled.path.parent)


def test_after_the_key_the_digests_are_gone(filled: Vault) -> None:
    filled.erase(Selection(users=(PERSON,)), "r1")
    with sqlite3.connect(filled.path) as db:
        (digest,) = db.execute("SELECT digest FROM tombstones").fetchone()
    db.close()
    key = filled.key_path.read_bytes()
    marks = (digest, digest.hex().encode(), digest.hex().upper().encode(), key)
    assert traces(filled.path.parent, marks)
    filled.destroy_key()
    assert traces(filled.path.parent, marks) == []


def test_a_reader_of_the_old_state_is_named_and_the_clearing_done_later(
    filled: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.05)
    selection = Selection(users=(PERSON,))
    with database.reading(filled.path) as old:
        assert old.execute("SELECT count(*) FROM rows").fetchone() == (2100,)
        with pytest.raises(FedrecError, match="a reader still holds the old state"):
            filled.erase(selection, "r1")
        assert old.execute("SELECT count(*) FROM rows").fetchone() == (2100,)
        assert len(filled.interactions(CATALOGUE)) == 2000
    assert filled.erase(selection, "r1").rows == 100
    assert traces(filled.path.parent) == []
