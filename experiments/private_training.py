"""What privacy costs in accuracy: AUC over all rows and within a person at the split, against epsilon.

    python -m experiments.private_training --data ../shared/data/ml-1m-like --seeds 1,2,3

Beside the budgets stand `none`, plain training with all that privacy takes away (shared item rows, early stopping), and
`inf`, the private recipe with neither noise nor a bound: what lies between these two is the recipe's price, the rest is
the noise's. Every run lands in runs/private_training/ and is continued or reused when the script is started again.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.common import run_command, write_result
from experiments.movielens import run_one

FIGURES = ("auc", "uauc", "uauc_at_split", "logloss")


def settings_of(unit: str, epsilon: str) -> dict[str, Any]:
    """The settings of one point of the curve."""
    if epsilon == "none":
        return {}
    bound = {"privacy.noise": 0.0} if epsilon == "inf" else {"privacy.epsilon": float(epsilon)}
    return {"privacy.unit": unit, **bound}


def point(folder: Path, settings: dict[str, Any], sets: tuple[str, ...]) -> dict[str, Any]:
    """One run: its figures, before any training too, what was spent at most, and its time."""
    began = time.monotonic()
    result = run_one(folder, settings, sets)
    overall, start, privacy = result["overall"], result["history"][0]["overall"], result["privacy"]
    spent = [value for shards in (privacy or {"spent": {}})["spent"].values() for value in shards.values()]
    return {
        **{key: overall.get(key) for key in FIGURES},
        "auc_before": start.get("auc"),
        "spent": None if None in spent else max(spent, default=None),
        "noise": privacy and privacy["noise"],
        "seconds": result["seconds"],
        "seconds_here": time.monotonic() - began,
    }


def main(
    data: Annotated[str | None, typer.Option(help="Data set; none = the generated world.")] = None,
    epsilons: Annotated[str, typer.Option(help="Budgets; none = plain training, inf = no noise.")] = "none,inf,8,4,2,1",
    units: Annotated[str, typer.Option(help="person, row.")] = "person,row",
    seeds: Annotated[str, typer.Option(help="Of the runs.")] = "1,2,3",
    clients: Annotated[int, typer.Option(help="How many.")] = 5,
    out: Annotated[Path, typer.Option(help="Where the runs go.")] = Path("runs/private_training"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value, for all runs.")] = None,
) -> None:
    """Run every budget, unit and seed, and write the means and all points."""
    sets, points = tuple(set_ or ()), list[dict[str, Any]]()
    for epsilon in epsilons.split(","):
        for unit in ["-"] if epsilon == "none" else units.split(","):
            for seed in map(int, seeds.split(",")):
                common = {"data.path": data, "clients.count": clients, "seed": seed}
                found = point(out / f"{unit}-{epsilon}-{seed}", common | settings_of(unit, epsilon), sets)
                points.append({"unit": unit, "epsilon": epsilon, "seed": seed, **found})
                print(points[-1], flush=True)
    write_result(
        "private_training", {"data": data and Path(data).name, "set": sets, "means": means(points), "points": points}
    )


def means(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Over the seeds, by unit and budget."""
    kinds = list(dict.fromkeys((each["unit"], each["epsilon"]) for each in points))
    found = []
    for unit, epsilon in kinds:
        mine = [each for each in points if (each["unit"], each["epsilon"]) == (unit, epsilon)]
        known = {key: [each[key] for each in mine if each[key] is not None] for key in (*FIGURES, "seconds")}
        figures = {key: statistics.fmean(values) for key, values in known.items() if values}
        found.append({"unit": unit, "epsilon": epsilon, "seeds": len(mine), **figures})
    return found


if __name__ == "__main__":
    run_command(main)
