"""What people decide is signed."""

from fedrec.errors import FedrecError

revision, down_revision = "2", "1"


def upgrade() -> None:
    raise FedrecError(
        "the ledger has schema version 1, in which nothing is signed that this fedrec could verify: finish its "
        "requests with the fedrec that made it, or name another --database"
    )
