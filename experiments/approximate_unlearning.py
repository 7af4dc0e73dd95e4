"""E2URec's protocol (arXiv 2403.03536): a fifth of the people is forgotten by each approximate method.

    python -m experiments.approximate_unlearning --data ../shared/data/ml-1m-like
    python -m experiments.approximate_unlearning --leaking --name leaking
    python -m experiments.approximate_unlearning --requests 10 --name in-ten-requests --methods e2urec,subtract

A row a method, the original among them: AUC and UAUC at the split less those of retraining, distances on the deleted
rows in units of what retraining scatters by, membership inference, whether its interval is apart from the retrained
model's, and the share of retraining's time. What is finished in runs/unlearning/ is not done again.

`--leaking` is a model that remembers: several passes at a high rate over a few rows, and nothing that stops it.
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

PUBLISHED = "e2urec:item_rows=kept:augmenting=1.5:alone=1:paired=0.23"
THOROUGH = "e2urec:augmenting=4:alone=3:paired=3"  # of what several passes have taught
METHODS = (
    f"e2urec,{PUBLISHED},{THOROUGH},e2urec:start=subtracted,gradient-ascent,neggrad,negkl,random-labels,flipped-labels,"
    "bad-teacher,generic-targets,subtract,in-context"
)
LEAKING = ("data.train_rows=3000", "train.epochs=8", "train.lr=2e-3", "train.stop=never")
_DISTANCES = ("jsd", "half_jeffreys", "l2", "ks")
_ATTACKS = ("membership", "lira")


def summary(rows: list[dict[str, Any]], originals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a method, means over the seeds; None where a seed's is unknown."""
    retrained = {row["seed"]: row for row in rows if row["name"] == "retraining"}
    before = [{"name": "original", **row} for row in originals]
    found = []
    for name in dict.fromkeys(row["name"] for row in (*before, *rows)):
        mine = [_beside(row, retrained[row["seed"]]) for row in (*before, *rows) if row["name"] == name]
        means = {key: _mean([row[key] for row in mine]) for key in mine[0]}
        found.append({"name": name, "seeds": len(mine), **means})
    return found


def _beside(row: dict[str, Any], retrained: dict[str, Any]) -> dict[str, float | None]:
    told: dict[str, float | None] = {row_key: row[row_key] for key in _DISTANCES for row_key in (key, f"{key}_scatter")}
    for key in ("auc_after", "uauc_at_split_after"):
        told[f"{key}_less"] = _less(row.get(key), retrained[key])
    told["auc_lost"] = _less(row.get("auc_before"), row.get("auc_after"))
    for attack in (each for each in _ATTACKS if f"{each}_auc" in row):
        for key in ("auc", "auc_low", "auc_high", "tpr", "tpr_low", "tpr_high"):
            told[f"{attack}_{key}"] = row[f"{attack}_{key}"]
        told[f"{attack}_apart"] = float(_apart(row, retrained, f"{attack}_auc"))
    told |= {key: row.get(key) for key in ("relearning_less", "relearning_scatter")}
    time = row.get("seconds")
    return {**told, "time": time / retrained["seconds"] if time else None, "teachers": row.get("seconds_teachers")}


def _apart(row: dict[str, Any], retrained: dict[str, Any], key: str) -> bool:
    """Whether the intervals of two figures have no number in common."""
    one, other = ((each[f"{key}_low"], each[f"{key}_high"]) for each in (row, retrained))
    return None not in (*one, *other) and bool(one[0] > other[1] or other[0] > one[1])


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def main(
    data: Annotated[str | None, typer.Option(help="The data set; none = the generated world.")] = None,
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one.")] = None,
    methods: str = METHODS,
    forget: str = "20%",
    requests: Annotated[int, typer.Option(help="In how many requests, one after another.")] = 1,
    shadows: Annotated[int, typer.Option(help="Shadow models for a likelihood-ratio attack.")] = 0,
    leaking: Annotated[bool, typer.Option("--leaking", help="Train a model that remembers.")] = False,
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
        requests=requests,
        shadows=shadows,
        seeds=[int(seed) for seed in seeds.split(",")],
        base=base,
        sets=(*(LEAKING if leaking else ()), *(set_ or ())),
        out=Path("runs/unlearning") / name,
        workers=workers,
    )
    table = summary(done.result["methods"], done.result["originals"])
    config = portable(parse(done.result["config"]))
    write_result(name, {"config": config, "methods": table})
    for row in table:
        print(json.dumps(row))


if __name__ == "__main__":
    run_command(main)
