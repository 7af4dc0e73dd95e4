"""How quick the ledger of erasure requests is with ten thousand of them.

    python -m experiments.ledger_speed

Each submission is checked, sealed under a key of its own and on the disk when it returns. The status is what
`fedrec forget status` reads: all open requests, the first due first, and how many are in each state.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from experiments.common import run_command, write_result
from fedrec.data.selection import Selection
from unlearning.requests.ledger import Ledger
from unlearning.requests.policy import Policy
from unlearning.requests.states import State
from unlearning.requests.subjects import SubjectKeys

REQUESTS, BATCH, SHARDS, REPEATS = 10_000, 100, 16, 20
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Policy(max_open_per_requester=2 * REQUESTS, max_submissions_per_hour=2 * REQUESTS)


class Anyone:
    """Takes every signature: an Ed25519 check is not the ledger's."""

    def names(self, role: str, at: datetime | None = None) -> tuple[str, ...]:
        return ("ada", "ben")

    def check(self, operator: str, message: bytes, signature: bytes, at: datetime | None = None) -> bool:
        return True


def sign(message: bytes) -> bytes:
    return b"-"


def main() -> None:
    """Submit, read the status, plan a batch."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.db", SubjectKeys(Path(folder) / "keys"), LIMITS, Anyone())
        submitting = [submit(ledger, number) for number in range(REQUESTS)]
        reading = [status(ledger) for _ in range(REPEATS)]
        touched, trained = plan(ledger)
        size = sum(path.stat().st_size for path in Path(folder).glob("ledger.db*"))
        ledger.close()
    write_result(
        "ledger_speed",
        {
            "requests": REQUESTS,
            "flush_seconds": spread([flush() for _ in range(200)]),
            "submit_seconds": spread(submitting),
            "last_thousand_submit_seconds": spread(submitting[-1000:]),
            "status_seconds": spread(reading),
            "database_bytes": size,
            "batch": {"requests": BATCH, "touched_shards": touched, "shard_retrainings": trained},
        },
    )


def submit(ledger: Ledger, number: int) -> float:
    """Seconds of one submission; they come a second apart."""
    began = time.perf_counter()
    asked, now = Selection(users=(f"user-{number}",)), BEGIN + timedelta(seconds=number)
    ledger.submit_all([asked], channel="mail", ground="17(1)(b)", requester="ada", sign=sign, now=now)
    return time.perf_counter() - began


def flush() -> float:
    """Seconds the disk takes to keep one small new file: a submission waits for two, its key and its record."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"-" * 32)
        began = time.perf_counter()
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - began


def status(ledger: Ledger) -> float:
    """Seconds to read the status."""
    began = time.perf_counter()
    found, counts = ledger.status()
    seconds = time.perf_counter() - began
    assert len(found) == REQUESTS == counts[State.RECEIVED]
    return seconds


def plan(ledger: Ledger) -> tuple[int, int]:
    """Shards that a hundred requests touch, and shard retrainings that their batches cost."""
    shards = np.random.default_rng(0).integers(SHARDS, size=BATCH).tolist()
    for request, shard in zip(ledger.open_requests(), shards, strict=False):
        ledger.approve(request.id, "ben", identity="passport", sign=sign)
        ledger.plan(request.id, {"shards": [shard]}, "ben", sign=sign)
    return len(set(shards)), sum(len(batch.shards) for batch in ledger.batches())


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and the largest."""
    return {"median": float(np.median(seconds)), "p99": float(np.quantile(seconds, 0.99)), "max": max(seconds)}


if __name__ == "__main__":
    run_command(main)
