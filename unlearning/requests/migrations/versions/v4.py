"""When a request came to each state is in the audit log only, whose lines follow each other."""

from alembic import op

revision, down_revision = "4", "3"


def upgrade() -> None:
    op.drop_column("requests", "timings")
