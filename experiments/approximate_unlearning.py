"""E2URec's protocol (arXiv 2403.03536): a fifth of the people is forgotten by each approximate method.

    python -m experiments.approximate_unlearning --data ../shared/data/ml-1m-like
    python -m experiments.approximate_unlearning --methods e2urec,e2urec:start=subtracted --seeds 1

A row a method: AUC and UAUC at the split less those of retraining, distances on the deleted rows in units of what
retraining scatters by, membership inference beside the retrained model's, and the share of retraining's time. What is
finished in runs/unlearning/ is not done again.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.common import portable, run_command, write_result
from fedrec import api
from fedrec.config import parse

METHODS = (
    "e2urec,e2urec:start=subtracted,gradient-ascent,neggrad,negkl,random-labels,flipped-labels,bad-teacher,"
    "generic-targets,subtract,in-context"
)
_DISTANCES = ("jsd", "half_jeffreys", "l2", "ks")


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a method, means over the seeds; None where a seed's is unknown."""
    retrained = {row["seed"]: row for row in rows if row["name"] == "retraining"}
    found = []
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [_beside(row, retrained[row["seed"]]) for row in rows if row["name"] == name]
        means = {key: _mean([row[key] for row in mine]) for key in mine[0]}
        found.append({"name": name, "seeds": len(mine), **means})
    return found


def _beside(row: dict[str, Any], retrained: dict[str, Any]) -> dict[str, float | None]:
    told = {key: row[key] for name in _DISTANCES for key in (name, f"{name}_scatter")}
    for key in ("auc_after", "uauc_at_split_after"):
        known = row[key] is not None and retrained[key] is not None
        told[f"{key}_less"] = row[key] - retrained[key] if known else None
    for key in ("auc", "auc_low", "auc_high", "tpr"):
        told[f"membership_{key}"] = row[f"membership_{key}"]
    return {**told, "time": row["seconds"] / retrained["seconds"], "teachers": row["seconds_teachers"]}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def main(
    data: Annotated[str | None, typer.Option(help="The data set; none = the generated world.")] = None,
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one.")] = None,
    methods: str = METHODS,
    forget: str = "20%",
    seeds: str = "1,2,3",
    workers: str = "0",
    name: str = "approximate-unlearning",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Further settings.")] = None,
) -> None:
    """Compare, and write the table."""
    done = api.compare(
        data,
        methods=methods.split(","),
        forget=forget,
        seeds=[int(seed) for seed in seeds.split(",")],
        base=base,
        sets=set_ or (),
        out=Path("runs/unlearning") / name,
        workers=workers,
    )
    table = summary(done.result["methods"])
    config = portable(parse(done.result["config"]))
    write_result(name, {"config": config, "methods": table, "originals": done.result["originals"]})
    for row in table:
        print(json.dumps(row))


if __name__ == "__main__":
    run_command(main)
