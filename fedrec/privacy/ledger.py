"""What was spent of people's privacy, at the client that holds them: every noised step that was ever begun, by shard.

    steps    run, shard, training, noise, rate, count: a training's noised steps
    secret   what its noise and its samples are drawn from; it never leaves

A training is known by a keyed digest of all that it depends on. The same one, resumed or repeated, draws the same noise
and gives the same adapter, so its steps count once; any other, as after somebody was erased, draws noise of its own and
counts anew. Were the noise the same, the difference of the two adapters would be the erased person's gradient.

A step is on the disk here before its noise is drawn: whoever dies in between has paid for nothing, never the reverse.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.file_owner import for_owner_only
from fedrec.privacy.accounting import Steps

LEDGER = "privacy.db"
_WAIT = 30.0  # seconds for another process to finish
_TABLES = """
    CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS steps (
        run TEXT NOT NULL, shard INTEGER NOT NULL, training TEXT NOT NULL, noise REAL NOT NULL, rate REAL NOT NULL,
        count INTEGER NOT NULL, PRIMARY KEY (run, shard, training)) WITHOUT ROWID;
"""


class PrivacyLedger:
    """The ledger in a file, which is made when it is first asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key_of(self, *said: str) -> bytes:
        """32 bytes that nobody else can make, of a training or of a step of it: HMAC-SHA256 under the secret."""
        with self._opened() as db:
            fresh = secrets.token_bytes(32)
            db.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (fresh,))
            secret: bytes = db.execute("SELECT value FROM secret").fetchone()[0]
        return hmac.digest(secret, repr(said).encode(), hashlib.sha256)

    def spent(self, run: str, shard: int, but: str | None = None) -> list[Steps]:
        """The steps of all trainings of a shard in a run.

        Args:
            but: a training that is left out.
        """
        if not self.path.exists():
            return []
        with self._opened() as db:
            found = db.execute(
                "SELECT noise, rate, SUM(count) FROM steps WHERE run = ? AND shard = ? AND training IS NOT ? "
                "GROUP BY noise, rate ORDER BY noise, rate",
                (run, shard, but),
            ).fetchall()
        return [(noise, rate, int(count)) for noise, rate, count in found]

    def spend(self, run: str, shard: int, training: str, noise: float, rate: float, count: int) -> None:
        """Have the first `count` steps of a training on the disk; those that are there are not counted again."""
        with self._opened() as db:
            db.execute(
                "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET count = MAX(count, excluded.count)",
                (run, shard, training, noise, rate, count),
            )

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction.

        Raises:
            FedrecError: it cannot be read or written.
        """
        for_owner_only()
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    db.executescript(_TABLES)
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise FedrecError(
                f"{self.path}: the privacy ledger cannot be used ({error}); mend that, or put the newest backup back: "
                "without it nothing is learnt from these people"
            ) from None
