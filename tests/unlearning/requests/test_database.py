"""Versions of the tables, and databases that cannot be used."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from fedrec.errors import FedrecError, UsageError
from tests.unlearning.requests.office import Office
from unlearning.requests.database import Database
from unlearning.requests.schema import metadata
from unlearning.requests.versions import MIGRATIONS, bring_up

NOW = 4


PRIORITY = """
from alembic import op
revision, down_revision = "5", "4"
def upgrade():
    op.execute("ALTER TABLE requests ADD COLUMN priority INTEGER NOT NULL DEFAULT 3")
"""
URGENCY = """
from alembic import op
from fedrec.errors import FedrecError
revision, down_revision = "6", "5"
def upgrade():
    op.execute("ALTER TABLE requests RENAME COLUMN priority TO urgency")
"""
BROKEN = URGENCY + '    raise FedrecError("no space left")\n'


def later(folder: Path, *steps: str) -> Path:
    """The migrations of a later fedrec."""
    shutil.copytree(MIGRATIONS, folder)
    for number, step in enumerate(steps, NOW + 1):
        (folder / "versions" / f"v{number}.py").write_text(step)
    return folder


def facts(database: Database) -> tuple[int, set[str]]:
    """Version and columns."""
    with database.reading() as connection:
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
        return int(version), {column["name"] for column in sa.inspect(connection).get_columns("requests")}


def as_before_alembic(url: str, version: int) -> None:
    """The ledger as a fedrec left it that counted its versions itself."""
    database = Database(url)
    with database.writing() as connection:
        for change in (
            "DROP TABLE alembic_version",
            "CREATE TABLE schema_version (version INTEGER NOT NULL)",
            f"INSERT INTO schema_version VALUES ({version})",
            *(["ALTER TABLE requests ADD COLUMN timings JSON NOT NULL DEFAULT '{}'"] if version < 4 else []),
            *(["DROP TABLE links"] if version < 3 else []),
        ):
            connection.execute(sa.text(change))
    database.close()


def test_an_old_ledger_is_brought_up_and_keeps_its_requests(
    opened: Callable[..., Office], url: str, tmp_path: Path
) -> None:
    office = opened()
    request = office.user("somebody")
    office.ledger.close()
    database = Database(url)
    for steps, column in (((PRIORITY,), "priority"), ((PRIORITY, URGENCY), "urgency")):
        migrations = later(tmp_path / f"100% {column}", *steps)
        for _ in range(2):
            with database.writing() as connection:
                bring_up(connection, migrations)
            version, columns = facts(database)
            assert version == NOW + len(steps) and {"priority", "urgency"} & columns == {column}
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT id, urgency FROM requests")).all() == [(request.id, 3)]
    database.close()


def test_an_upgrade_that_breaks_off_changes_nothing(opened: Callable[..., Office], url: str, tmp_path: Path) -> None:
    request = opened().user("somebody")
    database = Database(url)
    before = facts(database)
    with pytest.raises(FedrecError, match="no space left"), database.writing() as connection:
        bring_up(connection, later(tmp_path / "later", PRIORITY, BROKEN))
    assert facts(database) == before
    database.close()
    assert opened().ledger.get(request.id) == request


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_ledger_from_before_alembic_ends_with_the_tables_of_a_new_one(
    opened: Callable[..., Office], url: str, version: int
) -> None:
    office = opened()
    request = office.user("somebody")
    office.ledger.close()
    as_before_alembic(url, version)
    for _ in range(2):
        assert opened().ledger.get(request.id) == request
    database = Database(url)
    assert facts(database)[0] == NOW
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_the_migrations_are_one_line_that_ends_in_the_newest() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert [script.revision for script in scripts.walk_revisions()] == [str(n) for n in range(NOW, 0, -1)]


@pytest.mark.parametrize("kept_by_alembic", [True, False])
def test_a_newer_ledger_is_refused(opened: Callable[..., Office], url: str, kept_by_alembic: bool) -> None:
    opened().ledger.close()
    if kept_by_alembic:
        database = Database(url)
        with database.writing() as connection:
            connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{NOW + 1}'"))
        database.close()
    else:
        as_before_alembic(url, NOW + 1)
    with pytest.raises(FedrecError, match=f"schema version {NOW + 1}, this fedrec knows {NOW}: use a newer fedrec"):
        opened()


def test_a_ledger_file_is_its_owners_alone_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.db"
    office = Office(f"sqlite:///{path}", tmp_path / "keys")
    office.user("somebody")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    office.ledger.close()


def test_a_ledger_in_which_nothing_is_signed_is_refused(opened: Callable[..., Office], url: str) -> None:
    opened().ledger.close()
    as_before_alembic(url, 1)
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
