"""What a server has spent of its clients' privacy: every noised mean that it ever published, by shard.

A release is a training's of a shard, in a round, of what went into it. The same one, as after a kill, draws the same
noise and counts once. A shard that is trained again for an erasure draws noise of its own even where what goes in is
the same: whether it is would tell whether the erased rows had mattered.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fedrec.privacy.ledger import LEDGER, PrivacyLedger
from server.run import Run

_RETRAININGS = (
    "CREATE TABLE IF NOT EXISTS retrainings "
    "(run TEXT NOT NULL, shard INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (run, shard)) WITHOUT ROWID"
)


class ReleaseLedger(PrivacyLedger):
    """The ledger in a run's folder; `training` in it is NAME/ROUND/DIGEST of a release."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LEDGER)

    def begin(self, run: str, shards: Iterable[int], name: str) -> None:
        """Have the releases of some shards be those of a retraining from now on."""
        with self._opened() as db:
            db.execute(_RETRAININGS)
            rows = [(run, shard, name) for shard in shards]
            db.executemany("INSERT OR REPLACE INTO retrainings VALUES (?, ?, ?)", rows)

    def training(self, run: str, shard: int) -> str:
        """The name of a shard's newest retraining; empty before there was one."""
        with self._opened() as db:
            db.execute(_RETRAININGS)
            found = db.execute("SELECT name FROM retrainings WHERE run = ? AND shard = ?", (run, shard)).fetchone()
        return str(found[0]) if found else ""

    def has_begun(self, run: str, shard: int, prefix: str) -> bool:
        """Whether something was released there whose name begins so."""
        with self._opened() as db:
            asked = "SELECT 1 FROM steps WHERE run = ? AND shard = ? AND substr(training, 1, ?) = ? LIMIT 1"
            return db.execute(asked, (run, shard, len(prefix), prefix)).fetchone() is not None


def begin_retraining(run: Run, shards: Iterable[int], name: str) -> None:
    """Have some shards draw noise anew, where a server draws any.

    Args:
        name: of what they are trained again for; the same one, broken off or repeated, goes on with its noise.
    """
    if run.config.privacy.at_server:
        ReleaseLedger(run.folder).begin(run.id, shards, name)
