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


def bring_up(connection: Connection, migrations: Path = MIGRATIONS) -> None:
    """Make the tables, or bring those of an older version up to this one's, within the connection's transaction.

    Raises:
        FedrecError: they are of a version that this program does not know.
    """
    known = sorted(int(path.stem[1:]) for path in (migrations / "versions").glob("v*.py"))
    version = None
    if sa.inspect(connection).has_table("alembic_version"):
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        if version == str(known[-1]):
            return  # without alembic, which takes longer to import than all else here
        if version not in map(str, known):
            raise FedrecError(
                f"the ledger has schema version {version}, this fedrec knows {known[-1]}: use the fedrec that wrote it"
            )

    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    if version is None:
        metadata.create_all(connection)
        command.stamp(config, "head")
    else:
        command.upgrade(config, "head")
