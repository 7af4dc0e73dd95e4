"""Which shards of a run its clients are not to answer from, where they ask themselves: whoever was away when they were
withdrawn learns it from here first, and whoever cannot ask any longer stops when its lease is over.

withheld.json     in the run's folder: the shards; without it none is
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from server.run import BASELINES, Run

_FILE = "withheld.json"


def withhold(run: Run, shards: Collection[int]) -> None:
    """Those and no others, on the disk when this returns."""
    write_json(run.folder / _FILE, {"shards": sorted({*shards})})


def withheld(folder: Path) -> tuple[int, ...]:
    """Of the run in a folder."""
    path = folder / _FILE
    return tuple(int(shard) for shard in read_json(path)["shards"]) if path.exists() else ()


def withheld_of(state: Path, id: str) -> tuple[int, ...] | None:
    """Of the run of that id among a server's, baselines among them; None where there is none."""
    runs = state / "runs"
    for path in (*runs.glob("*/run.json"), *runs.glob(f"*/{BASELINES}/*/run.json")):
        try:
            if read_json(path)["id"] == id:
                return withheld(path.parent)
        except (FedrecError, KeyError):
            continue
    return None
