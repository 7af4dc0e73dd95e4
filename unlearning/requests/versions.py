"""The version of a ledger's tables, kept by alembic; `schema.metadata` is always the newest.

A migration is a file `migrations/versions/vN.py`, revision N upon N - 1; it never reads `schema`, which moves on.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from fedrec.errors import FedrecError
from unlearning.requests.schema import metadata

MIGRATIONS = Path(__file__).with_name("migrations")
_VERSION, _BEFORE_ALEMBIC = "alembic_version", "schema_version"


def bring_up(connection: Connection, migrations: Path = MIGRATIONS) -> None:
    """Make the tables, or bring those of an older version up to this one's, within the connection's transaction.

    Raises:
        FedrecError: they are of a newer version than this program knows.
    """
    known = sorted(int(path.stem[1:]) for path in (migrations / "versions").glob("v*.py"))
    there = set(sa.inspect(connection).get_table_names())
    version = _version(connection, there)
    if version == str(known[-1]) and _VERSION in there:
        return  # without alembic, which takes longer to import than all else here
    if version is not None and version not in map(str, known):
        raise FedrecError(f"the ledger has schema version {version}, this fedrec knows {known[-1]}: use a newer fedrec")

    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    if version is None:
        metadata.create_all(connection)
        command.stamp(config, "head")
        return
    if _VERSION not in there:
        command.stamp(config, version)
        connection.exec_driver_sql(f"DROP TABLE {_BEFORE_ALEMBIC}")
    command.upgrade(config, "head")


def _version(connection: Connection, there: set[str]) -> str | None:
    """None: there is no ledger yet."""
    if _VERSION in there:
        return str(connection.exec_driver_sql(f"SELECT version_num FROM {_VERSION}").scalar_one())
    if _BEFORE_ALEMBIC in there:
        return str(connection.exec_driver_sql(f"SELECT version FROM {_BEFORE_ALEMBIC}").scalar_one())
    return None
