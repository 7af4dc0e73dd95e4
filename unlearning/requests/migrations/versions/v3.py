"""The chain of each client's erasures."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "3", "2"


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("client", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False, comment="tombstones, for the client's vault alone"),
    )
