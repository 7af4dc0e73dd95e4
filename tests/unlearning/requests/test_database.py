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

NOW = 1


PRIORITY = """
from alembic import op
revision, down_revision = "2", "1"
def upgrade():
    op.execute("ALTER TABLE requests ADD COLUMN priority INTEGER NOT NULL DEFAULT 3")
"""
URGENCY = """
from alembic import op
from fedrec.errors import FedrecError
revision, down_revision = "3", "2"
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


def test_the_migrations_are_one_line_that_ends_in_the_newest() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert [script.revision for script in scripts.walk_revisions()] == [str(n) for n in range(NOW, 0, -1)]


def test_a_ledger_of_a_version_that_is_not_known_is_refused(opened: Callable[..., Office], url: str) -> None:
    opened().ledger.close()
    database = Database(url)
    with database.writing() as connection:
        connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{NOW + 1}'"))
    database.close()
    with pytest.raises(FedrecError, match=f"schema version {NOW + 1}, this fedrec knows {NOW}: use the fedrec that"):
        opened()


def test_a_new_ledger_has_the_tables_of_the_schema(opened: Callable[..., Office], url: str) -> None:
    opened().ledger.close()
    database = Database(url)
    assert facts(database)[0] == NOW
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_a_ledger_file_is_its_owners_alone_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.db"
    office = Office(f"sqlite:///{path}", tmp_path / "keys")
    office.user("somebody")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    office.ledger.close()


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
