"""The chain of erasures: equal for equal erasures, another for any other; what is missing can be repeated from it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError
from fedrec.protocol.answers import ChainAnswer
from fedrec.protocol.wire import pack, unpack
from fedrec.vault.chain import ORIGIN, Link
from fedrec.vault.vault import Vault
from tests.vault.rows import CATALOGUE, make_rows, same

ROWS = make_rows(1)
USERS = ROWS.user_ids


def of(user: int) -> Selection:
    return Selection(users=(USERS[user],))


def links(vault: Vault) -> list[Link]:
    return vault.chain(0)[1]


def put_back(vault: Vault, copy: Path) -> None:
    """The vault's file as it was when it was copied."""
    for path in vault.path.parent.glob("vault.db-*"):
        path.unlink()
    shutil.copy(copy, vault.path)


def test_it_starts_at_the_origin_and_grows_with_each_request_once(vault: Vault) -> None:
    assert vault.chain(0) == (ORIGIN, [])
    vault.erase(of(0), "one")
    vault.erase(of(0), "one")
    vault.erase(Selection(items=("item-3",)), "two")
    found = links(vault)
    assert [(link.number, link.request) for link in found] == [(1, "one"), (2, "two")]
    assert len({ORIGIN, *(link.head for link in found)}) == 3
    assert vault.chain(1)[0] == found[0].head and [link.request for link in vault.chain(1)[1]] == ["two"]
    assert vault.chain(3)[0] is None


def test_nobody_without_the_key_reads_or_compares_what_is_sealed(vault: Vault) -> None:
    vault.erase(of(0), "one")
    vault.erase(of(0), "two")
    (stone,) = [stone for stone in vault.tombstones() if stone.request == "one"]
    one, two = links(vault)
    assert one.sealed != links(vault)[0].sealed and one.sealed != two.sealed
    assert len(one.sealed) == len(two.sealed)  # padded: of one person's rows or another's
    assert not any(trace in one.sealed for trace in (USERS[0].encode(), stone.id.encode()))


@given(
    erased=st.lists(st.integers(0, len(USERS) - 1), min_size=1, max_size=4, unique=True),
    kept=st.integers(0, 4),
    own=st.booleans(),
)
def test_an_old_copy_repeats_what_it_lacks_and_ends_as_the_newest(
    tmp_path_factory: pytest.TempPathFactory, erased: list[int], kept: int, own: bool
) -> None:
    """Also where it has erased something of its own since it was put back."""
    vault = Vault.create(tmp_path_factory.mktemp("old") / "vault.db")
    vault.import_rows(ROWS, CATALOGUE)
    copy = vault.path.with_name("copy")
    for number, user in enumerate(erased):
        if number == kept:
            vault.backup(copy)
        vault.erase(of(user), f"request-{number}")
    newest, known = vault.interactions(CATALOGUE), links(vault)
    if copy.exists():
        put_back(vault, copy)
    if own:
        vault.erase(Selection(items=("item-1",)), "own")
    rows = len(vault.interactions(CATALOGUE))
    gone = vault.repeat(known)
    assert gone == rows - len(vault.interactions(CATALOGUE))
    assert vault.chain(len(known))[0] == known[-1].head
    assert [link.request for link in links(vault)] == [*(link.request for link in known), *(["own"] if own else [])]
    if not own:
        assert same(vault.interactions(CATALOGUE), newest)
    assert vault.import_rows(ROWS.take(ROWS.user == erased[-1]), CATALOGUE).added == 0
    assert vault.repeat(known) == 0


def test_a_restored_backup_keeps_the_chain(vault: Vault, tmp_path: Path) -> None:
    vault.erase(of(0), "one")
    vault.backup(tmp_path / "backup")
    vault.erase(of(1), "two")
    before = [link.head for link in links(vault)]
    vault.restore(tmp_path / "backup")
    assert [link.head for link in links(vault)] == before


def test_a_lost_vault_takes_the_chain_of_its_backup(vault: Vault, tmp_path: Path) -> None:
    vault.erase(of(0), "one")
    before = [link.head for link in links(vault)]
    vault.backup(tmp_path / "backup")
    vault.path.unlink()
    again = Vault.create(vault.path)
    again.restore(tmp_path / "backup")
    assert [link.head for link in links(again)] == before


def test_another_vault_or_one_without_its_key_is_refused_and_left_as_it_is(vault: Vault, tmp_path: Path) -> None:
    vault.backup(tmp_path / "old")
    vault.erase(of(0), "one")
    known = links(vault)
    other = Vault.create(tmp_path / "other.db")
    other.import_rows(ROWS, CATALOGUE)
    with pytest.raises(FedrecError, match="erased from another vault"):
        other.repeat(known)
    altered = [Link(1, "one", known[0].head, known[0].sealed[:-1] + bytes([known[0].sealed[-1] ^ 1]))]
    put_back(vault, tmp_path / "old")
    with pytest.raises(FedrecError, match="erased from another vault"):
        vault.repeat(altered)
    with pytest.raises(FedrecError, match="not those asked for"):
        vault.repeat([Link(1, "one", "0" * 64, known[0].sealed)])
    assert links(vault) == [] and len(vault.interactions(CATALOGUE)) == len(ROWS)
    vault.destroy_key()
    with pytest.raises(FedrecError, match="older than its key's end"):
        vault.repeat(known)
    assert len(vault.interactions(CATALOGUE)) == len(ROWS)


def test_a_destroyed_key_leaves_the_chain_and_seals_nothing(vault: Vault) -> None:
    vault.erase(of(0), "one")
    before = [link.head for link in links(vault)]
    vault.destroy_key()
    vault.erase(of(1), "two")
    found = links(vault)
    assert [link.head for link in found[:1]] == before and [link.sealed for link in found] == [b"", b""]


def test_links_go_through_a_message(vault: Vault) -> None:
    vault.erase(of(0), "one")
    found = ChainAnswer(client="c", head="", links=tuple(links(vault)), serves=True)
    assert found.links and ChainAnswer.of(unpack(pack(found.content()))) == found


def test_what_may_be_served_is_what_was_said_last(vault: Vault) -> None:
    vault.allow("", [(0, "a"), (1, "b")])
    vault.allow("local", [(0, "c")])
    vault.allow("", [(1, "b"), (1, "d")])
    assert (vault.allowed(""), vault.allowed("local"), vault.allowed("x")) == ({(1, "b"), (1, "d")}, {(0, "c")}, set())


TAMPERINGS = (
    "DELETE FROM tombstones",
    "DELETE FROM tombstones WHERE request = 'one'",
    "UPDATE tombstones SET digest = zeroblob(32)",
    "UPDATE tombstones SET digest = NULL WHERE request = 'two'",
    "UPDATE tombstones SET digest = 'text' WHERE request = 'two'",
    "UPDATE tombstones SET kind = 'item' WHERE kind = 'user'",
    "UPDATE tombstones SET until = -100 WHERE request = 'two'",
    "UPDATE tombstones SET since = since + 1 WHERE request = 'two'",
    "UPDATE tombstones SET request = 'one' WHERE request = 'two'",
    "DELETE FROM tombstones WHERE request = 'one'; DELETE FROM erasures WHERE request = 'one'",
    "DELETE FROM tombstones WHERE request = 'two'; DELETE FROM erasures WHERE request = 'two'",
    "DELETE FROM tombstones; DELETE FROM erasures",
)


def tampered(vault: Vault, statements: str) -> None:
    with closing(sqlite3.connect(vault.path)) as db:
        db.executescript(statements)


@pytest.fixture
def erased(vault: Vault) -> Vault:
    """A vault of two erasures, one of them of a range of days."""
    vault.erase(of(0), "one")
    vault.erase(Selection(users=(USERS[1],), since=0, until=8), "two")
    return vault


@pytest.mark.parametrize("statements", TAMPERINGS)
@pytest.mark.parametrize("rows_too", [False, True])
def test_tombstones_that_are_not_those_of_the_chain_are_noticed_and_set_again(
    erased: Vault, statements: str, rows_too: bool
) -> None:
    known, left = links(erased), erased.interactions(CATALOGUE)
    if rows_too:  # what was erased has come back already, when somebody notices
        tampered(erased, "DELETE FROM tombstones; DELETE FROM erasures")
        erased.import_rows(ROWS, CATALOGUE)
        assert len(erased.interactions(CATALOGUE)) == len(ROWS)
    tampered(erased, statements)
    assert erased.chain(len(known))[0] != known[-1].head
    gone = erased.repeat(known)
    assert (gone > 0) == rows_too
    assert same(erased.interactions(CATALOGUE), left)
    assert links(erased)[-1].head == known[-1].head and erased.chain(0)[0] == ORIGIN
    assert erased.import_rows(ROWS, CATALOGUE).added == 0


@pytest.mark.parametrize("statements", [each for each in TAMPERINGS if "erasures" not in each])
def test_nothing_comes_in_while_a_tombstone_is_missing(erased: Vault, tmp_path: Path, statements: str) -> None:
    erased.backup(tmp_path / "sound")
    tampered(erased, statements)
    erased.backup(tmp_path / "tampered")
    assert erased.chain(0)[0] is None
    for come in (
        lambda: erased.import_rows(ROWS, CATALOGUE),
        lambda: Vault.create(erased.path).restore(tmp_path / "tampered"),
    ):
        with pytest.raises(FedrecError, match=r"tombstones of request (one|two) were removed or altered"):
            come()
    erased.restore(tmp_path / "sound")  # which has them
    assert erased.import_rows(ROWS, CATALOGUE).added == 0 and erased.chain(0)[0] == ORIGIN


def test_a_request_that_is_done_again_sets_its_own_tombstones_again(erased: Vault) -> None:
    tampered(erased, "DELETE FROM tombstones WHERE request = 'one'")
    with pytest.raises(UsageError, match="erased something else before"):
        erased.erase(of(2), "one")
    assert erased.chain(0)[0] is None
    erased.erase(of(0), "one")
    assert erased.chain(0)[0] == ORIGIN and erased.import_rows(ROWS, CATALOGUE).added == 0


@pytest.mark.parametrize("kind", ["altered", "added"])
def test_what_nobody_can_send_again_is_refused(erased: Vault, kind: str) -> None:
    """The vault's own erasures are in nobody's ledger yet, and neither is what somebody made up."""
    known = links(erased)
    erased.erase(of(3), "own")
    tampered(
        erased,
        {
            "altered": "DELETE FROM tombstones WHERE request = 'own'",
            "added": "INSERT INTO tombstones VALUES ('x', 'own2', 'any', x'00', NULL, NULL, 0, 0)",
        }[kind],
    )
    for asked in (known, []):
        with pytest.raises(FedrecError, match="its own erasure own"):
            erased.repeat(asked)
