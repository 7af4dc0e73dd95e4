"""What forgetting one person costs in a federation: until nothing serves what knew them, and until their shard is back.

    python -m experiments.forgetting --shards 1,4,16 --clients 20

Back is served again everywhere, after retraining and verification. The time of the full training is that of its rounds
alone, in the same run on the same machine.
"""

from __future__ import annotations

import gc
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.common import portable, run_command, workplace, write_result
from experiments.erasing import asked, carried_out, workflow_of
from fedrec.config import load
from server.launch import simulate
from server.prepare import prepare
from server.simulated_run import SimulatedRun


def forget_one(run: SimulatedRun, user: str) -> dict[str, Any]:
    """The request of one user, from its submission on."""
    workflow_of(run)
    gc.collect()  # what the training left in this process is not the request's
    began = time.perf_counter()
    asked(run, [user])
    marks: dict[str, float] = {}

    def mark(text: str) -> None:
        if text.startswith("withdrawn"):
            marks["withdrawn"] = time.perf_counter() - began

    (outcome,) = carried_out(run, mark)
    return {
        "state": outcome["state"],
        "shards_touched": outcome["shards"],
        "submitted_to_withdrawn_seconds": marks["withdrawn"],
        "withdrawn_to_restored_seconds": outcome["restored_seconds"] - outcome["withdrawn_seconds"],
        "closed_seconds": time.perf_counter() - began,
    }


def main(
    shards: Annotated[str, typer.Option(help="Numbers of shards.")] = "1,4,16",
    clients: int = 20,
    rounds: int = 3,
    users: Annotated[int, typer.Option(help="People forgotten, one after another, in each run.")] = 3,
    folder: Path = Path("runs/forgetting"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="Further settings.")] = None,
) -> None:
    """Train with each number of shards, forget, and write what it took."""
    found = []
    for number in map(int, shards.split(",")):
        settings = {"shards": number, "clients.count": clients, "federation.rounds": rounds, "seed": 1}
        with workplace(folder / str(number), anew=True) as place:
            run = prepare(load(overrides=settings, sets=tuple(set_ or ())), place)
            trained: list[float] = []
            simulate(run, on_round=lambda entry, trained=trained: trained.append(entry.seconds))
            full = sum(trained[1:])
            chosen = sorted(run.clients_of())[:: max(1, len(run.clients_of()) // users)][:users]
            for user in chosen:
                row = {"shards": number, "clients": clients, "full_training_seconds": full, **forget_one(run, user)}
                row["of_full_over_shards"] = row["withdrawn_to_restored_seconds"] / (full / number)
                found.append(row)
                print(json.dumps(row), flush=True)
        write_result("forgetting", {"config": portable(run.config), "requests": found})


if __name__ == "__main__":
    run_command(main)
