"""A deployed client's lease on what it serves: what the server has not confirmed for longer is not answered from.

So an adapter that is withdrawn while the client hears nothing, or hides, answers for a known time at most.

lease.json     in the client's folder of a run: since when, and for how many seconds; without it there is no lease
"""

from __future__ import annotations

import time
from pathlib import Path

from fedrec.files import read_json, write_json
from fedrec.reporting.formatting import duration

_FILE = "lease.json"
_AHEAD = 60.0  # seconds that a clock may have been set back since


def renew(folder: Path, seconds: float) -> None:
    """From now on for so long."""
    write_json(folder / _FILE, {"since": time.time(), "seconds": seconds})


def lapsed(folder: Path) -> str:
    """Why nothing of a run may be answered now; empty where it may."""
    path = folder / _FILE
    if not path.exists():
        return ""
    said = read_json(path)
    age, lease = time.time() - float(said["since"]), float(said["seconds"])
    if -_AHEAD <= age <= lease:
        return ""
    heard = f"for {duration(age)}" if age > 0 else "but in a time to come, by this machine's clock,"
    return (
        f"its server has not confirmed {heard} what it serves, and the lease is {duration(lease)}: "
        "see that `fedrec deploy client` runs and reaches it"
    )
