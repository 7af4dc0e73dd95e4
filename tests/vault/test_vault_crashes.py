"""A process killed anywhere leaves all or nothing; many processes at once are as good as one after another."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fedrec.data.dataset import Interactions
from fedrec.data.selection import Selection, without
from fedrec.vault import database
from fedrec.vault.vault import Vault
from tests.vault.rows import CATALOGUE, make_rows, same

MORE = make_rows(1, count=400, users=9)


def child(work: Callable[[], object]) -> int:
    """A process that does the work; its id."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return process


def ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_after(steps: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed after so many hundred steps of SQLite; whether it was killed."""
    connect, left = database.connect, iter(range(steps, -1, -1))

    def tick() -> int:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def doomed(path: Path) -> sqlite3.Connection:
        db = connect(path)
        db.set_progress_handler(tick, 100)
        return db

    def run() -> None:
        database.connect = doomed
        work()

    code = ended(child(run))
    assert code in (0, -signal.SIGKILL)
    return code != 0


def intact(vault: Vault) -> bool:
    with database.connect(vault.path) as db:
        result = db.execute("PRAGMA integrity_check").fetchone()
    db.close()
    return bool(result == ("ok",))


def test_an_import_killed_anywhere_is_all_or_nothing(vault: Vault) -> None:
    before, steps = vault.interactions(CATALOGUE), 0
    while killed_after(steps, lambda: vault.import_rows(MORE, CATALOGUE)):
        now = vault.interactions(CATALOGUE)
        assert same(now, before) and intact(vault)
        steps = steps * 5 // 4 + 1
    assert steps > 10 and len(vault.interactions(CATALOGUE)) > len(before)


def test_an_erasure_killed_anywhere_is_all_or_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    gone = MORE.user < 4
    after = without(MORE, gone)
    selection = Selection(users=MORE.user_ids[:4])
    seen, steps, killed = set(), 0, True
    while killed:
        vault = Vault.create(tmp_path / f"{steps}" / "vault.db")
        vault.import_rows(MORE, CATALOGUE)
        killed = killed_after(steps, lambda: vault.erase(selection, "r1"))  # noqa: B023
        now = vault.interactions(CATALOGUE)
        done = same(now, after)
        assert (done or same(now, MORE)) and intact(vault)
        assert len(vault.tombstones()) == (4 if done else 0)
        seen.add((killed, done))
        assert vault.erase(selection, "r1").rows == gone.sum()
        assert same(vault.interactions(CATALOGUE), after) and len(vault.tombstones()) == 4
        steps = steps * 5 // 4 + 1
    assert steps > 10 and seen >= {(True, False), (False, True)}


def test_an_erasure_killed_before_the_clearing_is_cleared_by_the_next_call(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = vault.users()[0][0]

    def bytes_left() -> bool:
        return any(user.encode() in path.read_bytes() for path in vault.path.parent.iterdir())

    with closing(database.connect(vault.path)) as other, monkeypatch.context() as patch:
        other.execute("SELECT count(*) FROM rows").fetchone()  # an open vault keeps its log
        patch.setattr("fedrec.vault.vault.scrub", lambda path: os.kill(os.getpid(), signal.SIGKILL))
        assert ended(child(lambda: vault.erase(Selection(users=(user,)), "r1"))) == -signal.SIGKILL
        assert user not in [name for name, _ in vault.users()] and intact(vault)
        assert bytes_left()
        patch.undo()
        vault.erase(Selection(users=(user,)), "r1")
        assert not bytes_left()


def test_a_key_destroyed_half_way_is_destroyed_by_the_next_call(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("fedrec.vault.vault.shred", lambda path: os.kill(os.getpid(), signal.SIGKILL))
        assert ended(child(vault.destroy_key)) == -signal.SIGKILL
    assert vault.key_path.exists() and vault.manifest().key_destroyed
    vault.destroy_key()
    assert not vault.key_path.exists()


def test_a_reader_sees_before_or_after(vault: Vault) -> None:
    vault.import_rows(MORE, CATALOGUE)
    before = vault.interactions(CATALOGUE)
    halves = [before]
    for user in before.user_ids[:4]:
        rows = halves[-1]
        halves.append(without(rows, Selection(users=(user,)).mask(rows, CATALOGUE)))

    def erase() -> None:
        for user in before.user_ids[:4]:
            vault.erase(Selection(users=(user,)), user)

    process = child(erase)
    at = 0
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        now = vault.interactions(CATALOGUE)
        at = next(i for i in range(at, 5) if same(now, halves[i]))  # never back, never in between
    assert same(vault.interactions(CATALOGUE), halves[4])


def test_processes_that_import_at_once_add_each_row_once(tmp_path: Path) -> None:
    """The vault too is made by whoever comes first."""
    path = tmp_path / "vault.db"

    def work(rows: Interactions) -> Callable[[], object]:
        return lambda: Vault.create(path).import_rows(rows, CATALOGUE)

    assert [ended(process) for process in [child(work(MORE)) for _ in range(4)]] == [0] * 4
    assert same(Vault(path).interactions(CATALOGUE), MORE)
