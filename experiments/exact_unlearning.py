"""The paper's table again (APA, arXiv 2404.10327): exact methods after a deletion, beside retraining everything.

    python -m experiments.exact_unlearning --data ../shared/data/ml-100k --rows 1024 --unit row \
        --set data.split=tallrec --set prompt.history=10 --set train.batch=8
    python -m experiments.exact_unlearning --data ../shared/data/ml-1m-like --shards 4,8,16

Every comparison lands in runs/unlearning/ and is continued when the script is started again. A result keeps the tables
of other numbers of shards that were made with the same settings.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from experiments.common import last_result, run_command, workplace, write_result
from fedrec import config as configuration
from fedrec.console.terminal import terminal
from fedrec.preparation import resolve
from unlearning.comparison.compare import compare
from unlearning.comparison.console import ConsoleListener
from unlearning.comparison.plan import Plan, claim
from unlearning.compute.processes import workers_for

PAPER = "sisa,grapheraser,receraser,apa-d,apa-nd"
STRICT = "apa-user,strict,strict-hash"
KEYS = (
    "auc_before", "auc_after", "difference", "uauc_after", "uauc_at_split_after", "logloss_after", "rows_processed",
    "rows_full", "steps", "seconds", "seconds_full", "withdrawn_seconds", "shards_touched", "bytes", "shards_per_user",
    "separation",
)  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per method: mean and spread over the seeds."""
    found = []
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        entry: dict[str, Any] = {"name": name, "seeds": len(mine), "exact": sorted({row["exact"] for row in mine})}
        for key in KEYS:
            values = [row[key] for row in mine]
            entry[key] = statistics.fmean(values)
            entry[f"{key}_spread"] = statistics.stdev(values) if len(values) > 1 else None
        found.append(entry)
    return found


def kept(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The tables of the last result, where its settings were the same, by number of shards."""
    last = last_result(name)
    tables: dict[str, Any] = last["shards"] if last.get("settings") == settings else {}
    return tables


def main(
    data: Annotated[Path, typer.Option(help="The data set.")] = Path("../shared/data/ml-1m-like"),
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one of the catalogue.")] = None,
    methods: str = f"{PAPER},{STRICT}",
    shards: Annotated[str, typer.Option(help="Numbers of shards.")] = "4",
    slices: int = 1,
    unit: str = "user",
    forget: int = 1,
    rows: Annotated[int | None, typer.Option(help="Keep only so many train rows.")] = None,
    seeds: str = "1,2,3",
    workers: int = 0,
    name: Annotated[str, typer.Option(help="Name of the result; none = that of the data.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Further settings.")] = None,
) -> None:
    """Compare at every number of shards, and write the tables."""
    if not data.exists():
        raise SystemExit(f"{data}: not there; name the data set with --data")
    name = f"unlearning-{name or data.name}"
    sets = set_ or []
    overrides = {"data.path": str(data), "base": base, **({} if rows is None else {"data.train_rows": rows})}
    config = resolve(configuration.load(overrides=overrides, sets=tuple(sets)))
    deleted = cast(Literal["row", "user"], unit)
    listener = ConsoleListener(terminal(), deleted)
    settings = {"base": base, "unit": unit, "forget": forget, "rows": rows, "slices": slices, "set": sets}
    tables = kept(name, settings)
    for number in map(int, shards.split(",")):
        plan = Plan(
            config=config,
            methods=tuple(methods.split(",")),
            shards=number,
            slices=slices,
            unit=deleted,
            forget=forget,
            seeds=tuple(map(int, seeds.split(","))),
        )
        folder = Path("runs/unlearning") / f"{name}-{number}"
        with workplace(folder):
            claim(folder, plan, replace=False)
            result = compare(folder, plan, workers_for(workers, number), listener)
        found = {"methods": summary(result["methods"]), "runs": result["methods"]}
        tables = dict(sorted({**tables, str(number): found}.items(), key=lambda table: int(table[0])))
        write_result(name, {"trivial": result["trivial"], "settings": settings, "shards": tables})
        for row in found["methods"]:
            print(json.dumps(row))


if __name__ == "__main__":
    run_command(main)
