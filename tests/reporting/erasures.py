"""Made-up erasure requests of a run, as its page is told of them."""

from __future__ import annotations

from datetime import date, timedelta

from fedrec.reporting.erasure_section import KINDS, Closed, Erasures, Waiting

TODAY = date(2026, 3, 10)


def number(k: int) -> str:
    """The id of the k-th request."""
    return f"00000000-0000-4000-8000-{k:012d}"


def make_erasures(closed: int = 3) -> Erasures:
    """Two clients of three shards; open requests of which two are late, and some closed ones."""
    due = [TODAY - timedelta(days=9), TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=20)]
    states = ["held", "failed", "received", "identified"]
    waiting = [
        Waiting(number(k), kind, state, day - timedelta(days=28), day, extended=k == 3)
        for k, (kind, state, day) in enumerate(zip(KINDS, states, due, strict=True))
    ]
    ended = [
        Closed(number(100 + k), "user", TODAY - timedelta(days=k), (k % 3,), 2, 0.25 + k, 90.0 + k, k != 1)
        for k in range(closed)
    ]
    counts = {**dict.fromkeys(states, 1), "closed": closed, "refused": 5}
    return Erasures(TODAY, counts, waiting, ended, {"client-0": [4, 0, 12], "client-1": [7, 9, 1]})
