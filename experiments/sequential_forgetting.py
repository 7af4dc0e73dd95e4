"""A tenth of the users go, one in a hundred at a time: what is left of the AUC on those who stay.

    forgotten       the run, after each batch went through `fedrec forget`: its touched shards trained again
    retrained       one shard, trained from scratch without all who went: what forgetting would cost without shards
    not forgotten   the run as first trained, to which nothing happened

After each step the forgotten run must serve, bit for bit, what the same number of shards trained from scratch serves;
the hashes of all clients' adapters are compared.

    taskset -c 0 python -m experiments.sequential_forgetting
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from experiments.common import portable, result_file, run_command, workplace, write_result
from experiments.erasing import asked, carried_out
from experiments.kills import served
from fedrec.config import RunConfig, load
from fedrec.data.selection import Selection
from fedrec.files import write_json
from fedrec.metrics import auc
from server.launch import simulate
from server.prepare import prepare
from server.simulated_run import SimulatedRun

DEFAULTS = {"train.threads": 1, "train.epochs": 1, "seed": 1}
SMALL_WORLD = {"data.world.users": 100}  # each one in a hundred


def trained(config: RunConfig, folder: Path, gone: Sequence[str] = ()) -> SimulatedRun:
    """A run from scratch whose clients never trained on some users."""
    with workplace(folder, anew=True):
        run = prepare(config, folder)
        for name in run.clients if gone else ():
            run.client(name).vault.erase(Selection(users=tuple(gone)), "before-training")
        simulate(run)
    return run


def auc_without(run: SimulatedRun, gone: Sequence[str]) -> float:
    """By what the run serves, over the test rows of all who stay, pooled."""
    kept = [found for name in run.clients if (found := run.client(name).ensemble.scores.read()) is not None]
    users, scores, labels = (
        np.concatenate([getattr(each, key) for each in kept]) for key in ("users", "scores", "labels")
    )
    stay = ~np.isin(users, gone)
    return auc(scores[stay], labels[stay])


def step(
    run: SimulatedRun, original: SimulatedRun, going: Sequence[str], gone: Sequence[str], folder: Path
) -> dict[str, Any]:
    """Forget some, and compare.

    Args:
        going: who is to be forgotten now.
        gone: they, and who went before.
    """
    before = auc_without(run, gone)
    with workplace(run.folder):
        asked(run, going)
        outcomes = carried_out(run, lambda text: None)
    if unfinished := [outcome["state"] for outcome in outcomes if outcome["state"] != "closed"]:
        raise SystemExit(f"a request is {unfinished[0]}: {run.folder}")
    same = trained(run.config, folder / "same", gone)
    began = time.perf_counter()
    alone = trained(run.config.model_copy(update={"shards": 1}), folder / "alone", gone)
    retrained_seconds = time.perf_counter() - began
    return {
        "users_gone": len(gone),
        "shards_trained": sorted({shard for outcome in outcomes for shard in outcome["shards"]}),
        "of_shards": run.config.shards,
        "before": before,
        "forgotten": auc_without(run, gone),
        "retrained": auc_without(alone, gone),
        "not_forgotten": auc_without(original, gone),
        "equal_to_retrained_shards": all(served(run, name) == served(same, name) for name in run.clients),
        "forgotten_seconds": max(outcome["restored_seconds"] for outcome in outcomes),
        "retrained_seconds": retrained_seconds,
    }


def draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    rows, users = result["steps"], result["users"]
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    shown = {
        "forgotten": (f"forgotten, {rows[0]['of_shards']} shards", "#2f6fde", "-"),
        "retrained": ("retrained from scratch, 1 shard", "#e07b39", "-"),
        "not_forgotten": ("deleted but not forgotten", "#9aa5b1", "--"),
    }
    for name, (label, colour, line) in shown.items():
        percent = [100 * row["users_gone"] / users for row in rows]
        axes.plot(percent, [row[name] for row in rows], line, color=colour, label=label, marker="o", markersize=3)
    axes.set_xlabel("% of the users gone")
    axes.set_ylabel("AUC on those who stay")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path)


def main(
    data: Annotated[str | None, typer.Option(help="Data set; none = the generated world.")] = None,
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one.")] = None,
    shards: int = 4,
    clients: int = 4,
    rounds: int = 2,
    steps: Annotated[int, typer.Option(help="Batches of requests, one after another.")] = 10,
    percent: Annotated[float, typer.Option(help="Of the users, in each.")] = 1.0,
    folder: Path = Path("runs/sequential-forgetting"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="Further settings.")] = None,
) -> None:
    """Forget step by step."""
    named = {"base": base, "data.path": data, "shards": shards, "clients.count": clients, "federation.rounds": rounds}
    given = {key: value for key, value in named.items() if value is not None}
    world = SMALL_WORLD if data is None else {}
    config = load(overrides={**DEFAULTS, **world, **given}, sets=tuple(set_ or ()))
    with workplace(folder):
        result = measured(config, folder, steps, percent)
    write_result("sequential_forgetting", result)
    draw(result, result_file("sequential_forgetting.svg"))
    if not result["equal_to_retrained_shards"]:
        raise SystemExit(1)


def measured(config: RunConfig, folder: Path, steps: int, percent: float) -> dict[str, Any]:
    """What is left of the AUC after each step, and whether every step served what it should."""
    run = trained(config, folder / "run")
    write_json(run.folder / "erasure" / "policy.json", {"ledger": {"max_submissions_per_hour": 1_000_000}})
    original = SimulatedRun(folder / "original")
    shutil.rmtree(original.folder, ignore_errors=True)
    shutil.copytree(run.folder, original.folder)
    alone = trained(run.config.model_copy(update={"shards": 1}), folder / "alone")
    users = sorted(run.clients_of())
    leaving = random.Random(run.config.seed).sample(users, round(steps * percent / 100 * len(users)))
    first = auc_without(run, ())
    start = {"forgotten": first, "retrained": auc_without(alone, ()), "not_forgotten": first}
    rows: list[dict[str, Any]] = [{"users_gone": 0, "of_shards": config.shards, **start}]
    for going in np.array_split(np.array(leaving), steps):
        gone = leaving[: rows[-1]["users_gone"] + len(going)]
        rows.append(step(run, original, going.tolist(), gone, folder))
        print(json.dumps(rows[-1]), flush=True)
    return {
        "users": len(users),
        "equal_to_retrained_shards": all(row["equal_to_retrained_shards"] for row in rows[1:]),
        "steps": rows,
        "config": portable(run.config),
    }


if __name__ == "__main__":
    run_command(main)
