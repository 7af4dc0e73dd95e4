"""Requests and steps, nothing signed."""

revision, down_revision = "1", None


def upgrade() -> None:
    """Where the versions begin: no ledger is made so any more."""
