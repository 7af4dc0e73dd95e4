"""What forgetting one person costs in a federation: until nothing serves what knew them, and until their shard is back.

    python -m experiments.forgetting --shards 1,4,16 --clients 20

The time of the full training is that of the rounds alone, in the same run on the same machine.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.app import app as client_app
from experiments.common import portable, write_result
from fedrec.config import load
from fedrec.data.selection import Selection
from fedrec.store import Run
from server.erasure import FederatedErasure
from server.forget.carrying_out import Carrier
from server.forget.office import Office
from server.grid import LocalGrid
from server.prepare import prepare
from server.simulation import simulate


def forget_one(run: Run, user: str) -> dict[str, Any]:
    """The request of one user, from its submission on."""
    office = Office(run)
    operator, _ = office.operators.ensure_one()
    began = time.perf_counter()
    selection = Selection(users=(user,))
    request = office.submit(selection, client=None, channel="benchmark", ground="17(1)(b)", requester=operator)
    office.approve(request.id, operator, "known-account")
    marks: dict[str, float] = {}

    def mark(text: str) -> None:
        if text.startswith("withdrawn"):
            marks["withdrawn"] = time.perf_counter() - began

    erasure = FederatedErasure(run, LocalGrid(client_app, len(run.clients)))
    (outcome,) = Carrier(office, erasure, operator, mark).run()
    return {
        "state": outcome["state"],
        "shards_touched": outcome["shards"],
        "submitted_to_withdrawn_seconds": marks["withdrawn"],
        "retrained_seconds": outcome["restored_seconds"] - outcome["withdrawn_seconds"],
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
        place = folder / str(number)
        shutil.rmtree(place, ignore_errors=True)
        settings = {"shards": number, "clients.count": clients, "federation.rounds": rounds, "seed": 1}
        run = prepare(load(overrides=settings, sets=tuple(set_ or ())), place)
        trained: list[float] = []
        simulate(run, workers=0, on_round=lambda entry, trained=trained: trained.append(entry["seconds"]))
        full = sum(trained[1:])
        chosen = sorted(run.client_of())[:: max(1, len(run.client_of()) // users)][:users]
        for user in chosen:
            row = {"shards": number, "clients": clients, "full_training_seconds": full, **forget_one(run, user)}
            row["of_full_over_shards"] = row["retrained_seconds"] / (full / number)
            found.append(row)
            print(json.dumps(row), flush=True)
        write_result("forgetting", {"config": portable(run.config), "requests": found})


if __name__ == "__main__":
    typer.run(main)
