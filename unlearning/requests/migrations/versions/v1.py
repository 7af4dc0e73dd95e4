"""The tables as the first release has them: `schema.metadata`, which a new ledger is made by."""

revision, down_revision = "1", None


def upgrade() -> None:
    """Where the versions begin: a ledger is never brought up to this one."""
