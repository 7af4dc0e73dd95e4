"""Versions of the tables, and databases that cannot be used."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from fedrec.errors import FedrecError, UsageError
from tests.unlearning.requests.office import Office
from unlearning.requests.database import Database
from unlearning.requests.schema import UPGRADES, bring_up


def add_priority(connection: Connection) -> None:
    connection.execute(sa.text("ALTER TABLE requests ADD COLUMN priority INTEGER NOT NULL DEFAULT 3"))


def rename_it(connection: Connection) -> None:
    connection.execute(sa.text("ALTER TABLE requests RENAME COLUMN priority TO urgency"))


def broken(connection: Connection) -> None:
    rename_it(connection)
    raise FedrecError("no space left")


def facts(database: Database) -> tuple[int, set[str]]:
    """Version and columns."""
    with database.reading() as connection:
        version = connection.execute(sa.text("SELECT version FROM schema_version")).scalar_one()
        return version, {column["name"] for column in sa.inspect(connection).get_columns("requests")}


def test_an_old_ledger_is_brought_up_and_keeps_its_requests(opened: Callable[..., Office], url: str) -> None:
    office = opened()
    request = office.user("somebody")
    office.ledger.close()
    database, now = Database(url), 1 + len(UPGRADES)
    for steps, column in (((add_priority,), "priority"), ((add_priority, rename_it), "urgency")):
        for _ in range(2):
            with database.writing() as connection:
                bring_up(connection, [*UPGRADES, *steps])
            version, columns = facts(database)
            assert version == now + len(steps) and {"priority", "urgency"} & columns == {column}
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT id, urgency FROM requests")).all() == [(request.id, 3)]
    database.close()


def test_an_upgrade_that_breaks_off_changes_nothing(opened: Callable[..., Office], url: str) -> None:
    request = opened().user("somebody")
    database = Database(url)
    before = facts(database)
    with pytest.raises(FedrecError, match="no space left"), database.writing() as connection:
        bring_up(connection, [*UPGRADES, add_priority, broken])
    assert facts(database) == before
    database.close()
    assert opened().ledger.get(request.id) == request


def test_a_newer_ledger_is_refused(opened: Callable[..., Office], url: str) -> None:
    opened().ledger.close()
    database, now = Database(url), 1 + len(UPGRADES)
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE schema_version SET version = version + 1"))
    database.close()
    with pytest.raises(FedrecError, match=f"schema version {now + 1}, this fedrec knows {now}: use a newer fedrec"):
        opened()


def test_a_ledger_file_is_its_owners_alone_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.db"
    office = Office(f"sqlite:///{path}", tmp_path / "keys")
    office.user("somebody")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    office.ledger.close()


def test_a_ledger_in_which_nothing_is_signed_is_refused(opened: Callable[..., Office], url: str) -> None:
    opened().ledger.close()
    database = Database(url)
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE schema_version SET version = 1"))
    database.close()
    with pytest.raises(FedrecError, match="schema version 1, in which nothing is signed") as caught:
        opened()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ledger.db", "is no URL: write sqlite:///FILE"),
        ("mysql://root@here/x", "mysql://…: only sqlite"),
        ("postgresql+nothing://here/x", "only sqlite"),
    ],
)
def test_an_unusable_url_is_wrong_use(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Office(url, tmp_path / "keys")


def test_what_is_no_ledger_is_named_in_one_line_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are no tables" * 100)
    for url in (f"sqlite:///{tmp_path / 'notes.txt'}", f"postgresql://ada:secret@/x?host={tmp_path}"):
        with pytest.raises(FedrecError) as caught:
            Office(url, tmp_path / "keys")
        assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)
