"""A round of `fedrec simulate` with its clients one after another, and as many at once as there are cores.

The base is built or cached before; the two are run in turn, and must give the same adapter. How much two processes can
do here at once is measured beside them: two whole runs, each of one client after another, started together.

    python -m experiments.client_workers
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from experiments.common import run_command, workplace, write_result

WAYS = ("0", "auto")


def started(workers: str, out: Path, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fedrec", "simulate", "--rounds", "1", "--workers", workers]
    command += ["--out", str(out), "--replace"]
    return subprocess.Popen([*command, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def once(workers: str, out: Path, settings: tuple[str, ...]) -> dict[str, Any]:
    """One run: seconds of its round and of the whole command, and its adapter's hash."""
    began = time.perf_counter()
    if started(workers, out, settings).wait():
        raise SystemExit(f"simulate --workers {workers} failed")
    whole = time.perf_counter() - began
    result = json.loads((out / "result.json").read_text())
    return {"round": result["history"][1]["seconds"], "whole": whole, "adapter_hash": result["adapter_hash"]}


def at_once(folder: Path, settings: tuple[str, ...]) -> float:
    """The longer round of two runs side by side, in seconds: twice the work of one."""
    outs = [folder / f"beside-{number}" for number in range(2)]
    if any(process.wait() for process in [started("0", out, settings) for out in outs]):
        raise SystemExit("simulate failed")
    return max(json.loads((out / "result.json").read_text())["history"][1]["seconds"] for out in outs)


def main(
    turns: Annotated[int, typer.Option(help="Of each, one after the other.")] = 3,
    folder: Annotated[Path, typer.Option(help="Where the runs lie.")] = Path("runs/client_workers"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="Further settings.")] = None,
) -> None:
    """Run both ways in turn, and write how many times as fast the second is."""
    settings = tuple(part for each in set_ or () for part in ("--set", each))
    with workplace(folder):
        once("0", folder / "0", settings)  # builds the base where it is not cached
        runs = [{way: once(way, folder / way, settings) for way in WAYS} for _ in range(turns)]
        hashes = {run[way]["adapter_hash"] for run in runs for way in WAYS}
        if len(hashes) > 1:
            raise SystemExit(f"not the same adapters: {', '.join(sorted(hashes))}")
        seconds = {
            part: {way: median(run[way][part] for run in runs) for way in WAYS}
            | {"ratio": median(run["0"][part] / run["auto"][part] for run in runs)}
            for part in ("round", "whole")
        }
        ceiling = 2 * seconds["round"]["0"] / median(at_once(folder, settings) for _ in range(turns))
    print(json.dumps(seconds), ceiling)
    write_result(
        "client_workers",
        {"turns": turns, "seconds": seconds, "two_runs_at_once": ceiling, "adapter_hash": hashes.pop()},
    )


if __name__ == "__main__":
    run_command(main)
