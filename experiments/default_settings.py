"""The default base under the default settings, on data of every kind at hand: is training worth it wherever it is done?

    python -m experiments.default_settings --data ../shared/data

Every strategy has to come near `sum` (a title's like-rate and the person's recent one) at least, and its last round may
not be below its first by more than chance. Runs land in runs/default_settings/ and are continued or reused when the
script is started again. Settings were chosen on validation rows; these are figures of test rows, and choose nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.common import last_result, run_command, write_result
from experiments.movielens import run_one
from fedrec import metrics
from fedrec.config import load
from fedrec.data.dataset import TEST, TRAIN
from fedrec.data.load import load_dataset
from fedrec.data.regressions import regression_scores
from fedrec.data.trivial import trivial_scores

DEMO = "demo"  # the generated world
SETS = (DEMO, "ml-1m-like", "ml-100k", "movietweetings")
STRATEGIES = ("pplr", "central")
MEASURED = ("auc", "uauc", "uauc_at_split")
NEAR, CHANCE = 0.005, 0.005  # below `sum`; from the first round to the last


def without_model(path: str | None) -> dict[str, Any]:
    """A data set's rows, and AUC and UAUC of the scorers that count, on its test rows."""
    config = load(overrides={"data.path": path})
    rows = load_dataset(config.data, config.seed).interactions
    test = rows.split == TEST
    label, user = rows.label[test], rows.user[test]
    scores = trivial_scores(rows, test) | regression_scores(rows, test)
    return {
        "train_rows": int((rows.split == TRAIN).sum()),
        "test_rows": len(label),
        "scorers": {
            name: {"auc": metrics.auc(each, label), "uauc": metrics.uauc(each, label, user)}
            for name, each in scores.items()
        },
    }


def with_model(name: str, path: str | None, sets: tuple[str, ...]) -> dict[str, Any]:
    """What each strategy measures before any training, after its first round and after its last; seconds of them."""
    found, best = {}, None
    for strategy in STRATEGIES:
        one = run_one(
            Path("runs/default_settings") / f"{name}-{strategy}", {"data.path": path, "strategy": strategy}, sets
        )
        measured = [entry["overall"] for entry in one["history"]]
        places = {"before": measured[0], "first": measured[min(1, len(measured) - 1)], "last": measured[-1]}
        found[strategy] = {
            **{place: {key: each.get(key) for key in MEASURED} for place, each in places.items()},
            "rounds": [each["auc"] for each in measured],
            "seconds": one["seconds"],
        }
        best = one["best_possible_auc"]
    return {"best_possible_auc": best, "strategies": found}


def doubts(row: dict[str, Any]) -> list[str]:
    """What of the promise does not hold."""
    enough, found = row["scorers"]["sum"]["auc"] - NEAR, []
    for name, each in row["strategies"].items():
        if each["last"]["auc"] < enough:
            found.append(f"{name} {each['last']['auc']:.3f} is below sum, {enough + NEAR:.3f}")
        if each["last"]["auc"] < max(each["before"]["auc"], each["first"]["auc"]) - CHANCE:
            found.append(f"{name} has fallen to {each['last']['auc']:.3f}")
    return found


def line(row: dict[str, Any]) -> str:
    """A row of a Markdown table."""
    cells = [row["data"], *(f"{row['scorers'][name]['auc']:.3f}" for name in ("sum", "counts"))]
    for each in row["strategies"].values():
        cells.append(" → ".join(f"{each[place]['auc']:.3f}" for place in ("before", "first", "last")))
    return f"| {' | '.join(cells)} | {'; '.join(doubts(row)) or 'holds'} |"


def main(
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")] = Path("../shared/data"),
    names: Annotated[str, typer.Option("--sets", help="Which of them; demo = the generated world.")] = ",".join(SETS),
    set_: Annotated[list[str] | None, typer.Option("--set", help="Settings to try instead of the default.")] = None,
) -> None:
    """Run the default settings on every set, and write what each strategy reaches beside scorers without a model."""
    rows = {row["data"]: row for row in last_result("default_settings").get("sets", ())}
    for name in names.split(","):
        path = None if name == DEMO else data / name
        if path is not None and not path.exists():
            raise SystemExit(f"--data {data}: no {name} there")
        source = path and str(path)
        rows[name] = {"data": name, **without_model(source), **with_model(name, source, tuple(set_ or ()))}
        rows[name]["doubts"] = doubts(rows[name])
        write_result("default_settings", {"set": list(set_ or ()), "sets": list(rows.values())})
        print(line(rows[name]), flush=True)


if __name__ == "__main__":
    run_command(main)
