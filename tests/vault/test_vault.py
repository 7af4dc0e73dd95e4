"""The vault: what goes in comes out, once; what is erased is gone and stays away."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.selection import Selection, row_keys, without
from fedrec.errors import FedrecError, UsageError
from fedrec.vault import key as vault_key
from fedrec.vault.results import Erased, Imported, Restored
from fedrec.vault.rows import content_hash, named
from fedrec.vault.tombstones import Refusal, tombstones_of
from fedrec.vault.vault import Vault
from tests.vault.rows import CATALOGUE, make_rows, random_rows, same

KEY = bytes(32)
NOBODY = Selection(users=("nobody",))


@st.composite
def selections(draw: st.DrawFn, rows: Interactions) -> Selection:
    """Any selection that a vault takes: conditions together, or single rows; some of them not there."""
    if draw(st.booleans()):
        keys = row_keys(rows, CATALOGUE).tolist()
        return Selection(rows=tuple(draw(st.lists(st.sampled_from([*keys, "nobody\titem-1\t5"]), min_size=1))))
    since, until = sorted(draw(st.tuples(st.integers(-4, 12), st.integers(-4, 12))))
    return Selection(
        users=tuple(draw(st.lists(st.sampled_from([*rows.user_ids, "nobody"]), max_size=3))),
        items=tuple(draw(st.lists(st.sampled_from([*CATALOGUE.ids, "nothing"]), max_size=3))),
        since=draw(st.sampled_from([None, since])),
        until=until,
    )


def fresh() -> Vault:
    return Vault.create(Path(tempfile.mkdtemp()) / "vault.db")


@given(random_rows())
@examples(max_examples=15)
def test_what_goes_in_comes_out_to_the_last_bit(rows: Interactions) -> None:
    vault = fresh()
    assert vault.import_rows(rows, CATALOGUE) == Imported(len(rows), 0, 0)
    assert same(vault.interactions(CATALOGUE), rows)
    assert vault.import_rows(rows, CATALOGUE) == Imported(0, len(rows), 0)
    assert same(vault.interactions(CATALOGUE), rows)
    assert vault.users() == [(user, int((rows.user == i).sum())) for i, user in enumerate(rows.user_ids)]


@given(random_rows(), st.data())
@examples(max_examples=15)
def test_imports_in_parts_are_the_import_of_all(rows: Interactions, data: st.DataObject) -> None:
    """The parts are those of users; the order in which users come is the order they get."""
    mine = rows.user < data.draw(st.integers(0, len(rows.user_ids)))
    vault = fresh()
    vault.import_rows(without(rows, ~mine), CATALOGUE)
    assert vault.import_rows(rows, CATALOGUE) == Imported(int((~mine).sum()), int(mine.sum()), 0)
    assert same(vault.interactions(CATALOGUE), rows)


@given(random_rows(), st.data())
@examples(max_examples=25)
def test_an_erased_row_is_gone_and_refused_from_then_on(rows: Interactions, data: st.DataObject) -> None:
    selection = data.draw(selections(rows))
    gone = selection.mask(rows, CATALOGUE)
    vault = fresh()
    vault.backup(before := vault.path.with_name("empty"))
    vault.import_rows(rows, CATALOGUE)
    vault.backup(full := vault.path.with_name("full"))

    erased = vault.erase(selection, "r1")
    assert erased.rows == gone.sum()
    left = vault.interactions(CATALOGUE)
    assert content_hash(named(left, CATALOGUE)) == content_hash(named(rows.take(~gone), CATALOGUE))
    if gone.all() and rows.truth is not None:
        assert not len(left)  # whether truths were known, no row can tell any more
    elif rows.client is None or not gone.any():
        assert same(left, without(rows, gone))

    assert vault.import_rows(rows, CATALOGUE) == Imported(0, int((~gone).sum()), int(gone.sum()))
    assert vault.restore(full) == Restored(int((~gone).sum()), int(gone.sum()))
    assert same(vault.interactions(CATALOGUE), left)
    assert vault.restore(before) == Restored(0, 0)
    assert vault.import_rows(rows, CATALOGUE) == Imported(int((~gone).sum()), 0, int(gone.sum()))
    assert vault.manifest().refused == 3 * gone.sum()
    assert {entry.id for entry in vault.tombstones()} == set(erased.tombstones)


def test_a_request_is_done_once(vault: Vault) -> None:
    user = vault.users()[0][0]
    first = vault.erase(Selection(users=(user, "nobody")), "r1")
    assert len(first.tombstones) == 2
    state = vault.manifest()
    assert vault.erase(Selection(users=("nobody", user, user)), "r1") == first
    assert vault.manifest() == state
    with pytest.raises(UsageError, match="request r1: it erased something else"):
        vault.erase(NOBODY, "r1")
    with pytest.raises(UsageError, match="request r1"):
        vault.erase(Selection(users=(user, "nobody"), until=10**6), "r1")
    assert vault.erase(Selection(users=(user,)), "r2") == Erased(
        0, vault.erase(Selection(users=(user,)), "r2").tombstones
    )


def test_someone_who_was_never_there_may_not_come_later(vault: Vault) -> None:
    other = make_rows(2, users=6)
    strangers = without(other, other.user < 3)
    strangers = Interactions(**{**vars(strangers), "user_ids": ("x", "y", "z")})
    assert vault.erase(Selection(users=("x",)), "r1").rows == 0
    done = vault.import_rows(strangers, CATALOGUE)
    assert done.refused == (strangers.user == 0).sum() > 0
    assert [user for user, _ in vault.users()][-2:] == ["y", "z"]
    assert [entry.refused for entry in vault.tombstones()] == [done.refused]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(), "nothing is named"),
        (Selection(rows=("a\tb\t1",), users=("a",)), "leave out the others"),
        (Selection(since=5, until=4), "wrong way round"),
        (Selection(everything=True, users=("a",)), "everything is named with users"),
    ],
)
def test_what_cannot_be_erased_is_said(vault: Vault, selection: Selection, message: str) -> None:
    state = vault.manifest()
    with pytest.raises(UsageError, match=message):
        vault.erase(selection, "r1")
    assert vault.manifest() == state


def test_everything_goes_and_nothing_comes_again(vault: Vault) -> None:
    rows = vault.interactions(CATALOGUE)
    assert vault.erase(Selection(everything=True), "r1").rows == len(rows) > 0
    assert vault.erase(Selection(everything=True), "r1").rows == len(rows)  # done already, and told the same
    assert vault.users() == []
    done = vault.import_rows(rows, CATALOGUE)
    assert (done.added, done.refused) == (0, len(rows))


def test_kinds_of_tombstones_do_not_meet() -> None:
    """A user and an item of the same name, and a pair against its parts, are different things."""
    stones = tombstones_of(Selection(users=("a",), items=("b",)), KEY) + tombstones_of(Selection(items=("c",)), KEY)
    refusal = Refusal(KEY, stones)
    assert refusal.by("a", "b", 1) == stones[0].id
    assert refusal.by("x", "c", 1) == stones[1].id
    assert refusal.by("a", "x", 1) is refusal.by("b", "a", 1) is refusal.by("c", "x", 1) is None
    assert Refusal(bytes(31) + b"1", stones).by("a", "b", 1) is None


def test_the_manifest_hash_is_of_the_rows_alone(vault: Vault, tmp_path: Path) -> None:
    """Not of the order of import, of the catalogue's order, or of erasures; but of each value in a row."""
    rows = vault.interactions(CATALOGUE)
    digest = content_hash(named(rows, CATALOGUE))
    other = Vault.create(tmp_path / "other.db")
    late = rows.user < 3
    other.erase(NOBODY, "r1")
    other.import_rows(without(rows, late), CATALOGUE)
    other.import_rows(without(rows, ~late), CATALOGUE)
    turned = Catalogue(CATALOGUE.ids[::-1], CATALOGUE.titles[::-1])
    assert vault.manifest().digest == vault_key.keyed(vault.key_path.read_bytes(), digest)
    assert other.manifest().digest == vault_key.keyed(other.key_path.read_bytes(), digest)
    assert len({vault.manifest().digest, other.manifest().digest, digest}) == 3
    assert content_hash(named(other.interactions(turned), turned)) == digest
    for name in ("label", "time", "split"):
        changed = getattr(rows, name).copy()
        changed[-1] = changed[-1] + 1 if name == "time" else 1 - min(changed[-1], 1)
        assert content_hash(named(Interactions(**{**vars(rows), name: changed}), CATALOGUE)) != digest


def test_uses_are_noted_once_a_round(vault: Vault) -> None:
    rows = vault.interactions(CATALOGUE)
    vault.record_use("run", 1, 2, rows, CATALOGUE)
    vault.record_use("run", 0, 2, rows.take(rows.user == 0), CATALOGUE)
    vault.record_use("run", 1, 2, rows, CATALOGUE)
    uses = vault.uses()
    assert [(use.run, use.shard, use.round, use.rows) for use in uses] == [
        ("run", 0, 2, (rows.user == 0).sum()), ("run", 1, 2, len(rows)),
    ]  # fmt: skip
    assert uses[0].digest and uses[0].digest != uses[1].digest == vault.manifest().digest
    assert uses[1].digest != content_hash(named(rows, CATALOGUE))


def test_an_item_that_the_catalogue_lacks_is_named(vault: Vault) -> None:
    short = Catalogue(CATALOGUE.ids[:-1], CATALOGUE.titles[:-1])
    with pytest.raises(FedrecError, match="item 'item-8' of the vault is not in the catalogue"):
        vault.interactions(short)


def test_an_empty_vault_has_no_rows(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "vault.db")
    empty = vault.interactions(CATALOGUE)
    assert len(empty) == 0 and empty.user_ids == () and empty.time.dtype == np.int64
    assert vault.import_rows(empty, CATALOGUE) == Imported(0, 0, 0)
    assert vault.erase(NOBODY, "r1").rows == 0


def test_a_backup_of_another_vault_is_refused(vault: Vault, tmp_path: Path) -> None:
    Vault.create(tmp_path / "other.db").backup(tmp_path / "backup")
    with pytest.raises(FedrecError, match="a backup of another vault"):
        vault.restore(tmp_path / "backup")
    with pytest.raises(UsageError, match="that is the vault itself"):
        vault.backup(vault.path)
    with pytest.raises(UsageError, match="no such backup"):
        vault.restore(tmp_path / "missing")


def test_a_lost_vault_comes_back_from_its_backup_and_key(vault: Vault, tmp_path: Path) -> None:
    vault.erase(Selection(items=("item-1",)), "r1")
    vault.record_use("run", 0, 1, vault.interactions(CATALOGUE), CATALOGUE)
    was = vault.manifest(), vault.tombstones(), vault.uses(), vault.interactions(CATALOGUE)
    vault.backup(tmp_path / "backup")
    vault.path.unlink()
    again = Vault.create(vault.path)
    again.restore(tmp_path / "backup")
    assert (again.manifest(), again.tombstones(), again.uses()) == was[:3]
    assert same(again.interactions(CATALOGUE), was[3])


def test_after_the_key_nothing_comes_in_but_erasing_goes_on(vault: Vault, tmp_path: Path) -> None:
    rows = vault.interactions(CATALOGUE)
    vault.backup(tmp_path / "backup")
    first = vault.erase(Selection(users=rows.user_ids[:1]), "r1")
    vault.record_use("run", 0, 1, rows, CATALOGUE)
    vault.destroy_key()
    vault.destroy_key()
    assert not vault.key_path.exists()
    for refused in (
        lambda: vault.import_rows(rows, CATALOGUE),
        lambda: Vault.create(vault.path).import_rows(rows, CATALOGUE),
    ):
        with pytest.raises(FedrecError, match="its key is destroyed"):
            refused()
    with pytest.raises(FedrecError, match="from before its key was destroyed"):
        vault.restore(tmp_path / "backup")
    assert vault.erase(Selection(users=rows.user_ids[:1]), "r1") == first
    assert vault.erase(Selection(users=rows.user_ids[1:2]), "r2").rows == (rows.user == 1).sum()
    assert same(vault.interactions(CATALOGUE), without(rows, rows.user < 2))
    vault.record_use("run", 0, 2, rows, CATALOGUE)
    assert [use.digest for use in vault.uses()] == [None, None]
    with sqlite3.connect(vault.path) as db:
        assert db.execute("SELECT count(*) FROM tombstones WHERE digest NOT NULL").fetchone() == (0,)
