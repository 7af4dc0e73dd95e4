"""Strategies side by side on real data: what a federation costs in accuracy, and which one balances its clients best.

    python -m experiments.movielens --data ../shared/data/ml-1m-like --seeds 1,2,3

Every run lands in runs/movielens/ and is continued or reused when the script is started again. The figures go to
experiments/results/, written by this script alone.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from experiments.common import run_command, workplace, write_result
from fedrec import config as configuration
from fedrec.data.dataset import TRAIN
from fedrec.metrics import auc
from server.launch import simulate
from server.prepare import finish, prepare
from server.rounds import Entry
from server.simulated_run import SimulatedRun, open_run

OVERALL = ("auc", "warm_auc", "mean_auc", "worst_auc", "std_auc", "uauc", "uauc_at_split", "logloss")
TRIVIAL = ("trivial", "trivial_uauc", "trivial_uauc_at_split")


def run_one(folder: Path, settings: dict[str, Any], sets: tuple[str, ...]) -> dict[str, Any]:
    """The result of one run, which is continued if it was begun.

    Raises:
        FedrecError: another process has its folder.
    """
    with workplace(folder):
        return _finished(folder, settings, sets)


def _finished(folder: Path, settings: dict[str, Any], sets: tuple[str, ...]) -> dict[str, Any]:
    if (folder / "config.json").exists():
        run: SimulatedRun = finish(open_run(folder))
    else:
        run = prepare(configuration.load(overrides=settings, sets=sets), folder)
    if run.rounds.last() != run.config.federation.rounds or not (folder / "result.json").exists():
        simulate(run, on_round=lambda entry: print(line(folder.name, entry), flush=True))
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    result["overall"]["warm_auc"] = warm_auc(open_run(folder))
    return result


def warm_auc(run: SimulatedRun) -> float:
    """AUC over the test rows whose user and item both have train rows."""
    rows = {name: run.rows_of(name) for name in run.clients}
    scores = {name: run.client(name).ensemble.scores.read() for name in run.clients}
    items = {int(item) for r in rows.values() for item in r.item[r.split == TRAIN]}
    users = {r.user_ids[user] for r in rows.values() for user in set(r.user[r.split == TRAIN].tolist())}
    found = [kept for kept in scores.values() if kept is not None]
    warm = [[u in users and i in items for u, i in zip(k.users.tolist(), k.items.tolist(), strict=True)] for k in found]
    chosen = np.concatenate([np.array(mask, bool) for mask in warm])
    return auc(*(np.concatenate([getattr(kept, name) for kept in found])[chosen] for name in ("scores", "labels")))


def line(name: str, entry: Entry) -> str:
    overall = entry.overall or {}
    figures = "  ".join(f"{key} {overall[key]:.4f}" for key in ("auc", "mean_auc", "worst_auc"))
    return f"{name} round {entry.round}: {figures}  {entry.seconds:.0f} s"


def table(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per strategy: mean and spread over the seeds of every overall metric, and of the seconds."""
    rows = []
    for strategy in dict.fromkeys(result["name"] for result in results):
        mine = [result for result in results if result["name"] == strategy]
        row: dict[str, Any] = {"strategy": strategy, "seeds": len(mine)}
        for key in OVERALL:
            values = [result["overall"][key] for result in mine]
            row[key] = statistics.mean(values)
            row[f"{key}_spread"] = statistics.stdev(values) if len(values) > 1 else None
        row["before"] = statistics.mean(result["history"][0]["overall"]["auc"] for result in mine)
        row["seconds"] = statistics.mean(result["seconds"] for result in mine)
        row["megabytes"] = statistics.mean(result["bytes_up"] + result["bytes_down"] for result in mine) / 1e6
        rows.append(row)
    return rows


def main(
    data: Annotated[Path, typer.Option(help="The data set.")] = Path("../shared/data/ml-1m-like"),
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one of the catalogue.")] = None,
    strategies: Annotated[str, typer.Option(help="pplr:code runs PPLR with other settings; see VARIANTS.")] = (
        "central,pplr,pplr-adapter,fedavg,fedprox,ditto,local"
    ),
    seeds: str = "1,2,3",
    clients: int = 5,
    by: Annotated[str, typer.Option(help="hash or kmeans.")] = "kmeans",
    rounds: int = 4,
    name: Annotated[str, typer.Option(help="Name of the result; none = that of the data.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Further settings.")] = None,
) -> None:
    """Run every strategy with every seed, and write the table."""
    if not data.exists():
        raise SystemExit(f"{data}: not there; name the data set with --data")
    name = name or data.name
    results = []
    for seed in map(int, seeds.split(",")):
        for strategy in strategies.split(","):
            variant, _, similarity = strategy.partition("-")
            settings = {
                "data.path": str(data), "base": base, "strategy": variant, "seed": seed, "clients.count": clients,
                "clients.by": by, "federation.rounds": rounds,
            }  # fmt: skip
            if similarity:
                settings["pplr.similarity"] = similarity
            folder = Path("runs/movielens") / f"{name}-{strategy}-{seed}"
            results.append({"name": strategy, **run_one(folder, settings, tuple(set_ or ()))})
            rows = table(results)
            settings = {"base": base, "clients": clients, "by": by, "rounds": rounds, "set": list(set_ or ())}
            kept = ("name", "seed", "overall", "clients", "seconds", "adapter_hash")
            runs = [{key: result[key] for key in kept} for result in results]
            trivial = {key: results[0][key] for key in TRIVIAL}
            write_result(name, {**trivial, "settings": settings, "strategies": rows, "runs": runs})
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    run_command(main)
