"""A world of 100,000 people, 100,000 titles, 2,000,000 rows and 1,000 clients: seconds and peak memory by phase.

Made up and written as one CSV file; 20,000 rows are learnt from, over a tiny random base model, so that what counts
is what stands around the training. Reading is held against pyarrow reading and encoding the same file alone.

    python -m experiments.at_size
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from experiments.common import run_command, workplace, write_result
from experiments.watching import median_of, watched, watched_in_phases
from fedrec.models.pretraining import new_llama, train_tokenizer

ALONE = """
import sys
import pyarrow.csv as csv
table = csv.read_csv(sys.argv[1])
for name in ("user", "item", "title"):
    table[name].dictionary_encode()
"""
TURNS = 3  # of pyarrow and inspect, one after the other; the median of each
PHASES = {
    "preparation": "reference.json",
    "evaluation before round 1": "rounds/0000",
    "training of round 1": "rounds/0001.unfinished/EvaluateAnswer",
    "evaluation of round 1": "rounds/0001",
    "result and page": "report.html",
}  # of simulate, each with what is there when it is over
WORDS = ("red", "blue", "old", "new", "long", "lost", "last", "dark", "green", "quiet")
THINGS = ("storm", "river", "heart", "city", "mask", "night", "garden", "road", "letter", "winter")


def made_up(path: Path, people: int, titles: int, rows: int, seed: int = 1) -> None:
    """A CSV of ratings 1 to 5 whose likes follow person and title, popular titles more often rated."""
    random = np.random.default_rng(seed)
    names = [f"{WORDS[i % 10]} {THINGS[i // 10 % 10]} {i // 100}" for i in range(titles)]
    user = np.sort(random.integers(people, size=rows))
    item = np.minimum((titles * random.random(rows) ** 2).astype(np.int64), titles - 1)
    level = random.normal(0, 1, people)[user] + random.normal(0, 1, titles)[item] + random.normal(0, 1, rows)
    rating = np.clip(np.round(3 + level), 1, 5).astype(np.int64)
    when = 1_500_000_000 + np.arange(rows) * 20
    columns = {"user": user, "item": item, "rating": rating, "timestamp": when, "title": np.array(names)[item]}
    pd.DataFrame(columns).to_csv(path, index=False)


def main(
    people: int = 100_000,
    titles: int = 100_000,
    rows: int = 2_000_000,
    clients: int = 1_000,
    learnt: Annotated[int, typer.Option(help="Rows to learn from.")] = 20_000,
    folder: Annotated[Path, typer.Option(help="Where the world and its run are kept.")] = Path("runs/at_size"),
    workers: str = "auto",
) -> None:
    """Make the world, inspect it, and run one round over it."""
    with workplace(folder, anew=True):
        data, base, out = folder / "ratings.csv", folder / "base", folder / "run"
        made_up(data, people, titles, rows)
        tokenizer = train_tokenizer(
            [f"{word} {thing} {n}" for n in range(20) for word in WORDS for thing in THINGS], 400
        )
        new_llama(len(tokenizer), width=32, layers=2, context=512, seed=0).save_pretrained(base)
        tokenizer.save_pretrained(base)
        fedrec = (sys.executable, "-m", "fedrec")
        alone, inspect = (sys.executable, "-c", ALONE, data), (*fedrec, "data", "inspect", data)
        runs = [(watched(*alone), watched(*inspect, quiet=bool(turn))) for turn in range(TURNS)]
        phases = {
            name: median_of(each)
            for name, each in zip(("pyarrow alone", "inspect"), zip(*runs, strict=True), strict=True)
        }
        settings = ("--set", f"data.train_rows={learnt}", "--set", "lora.rank=4")
        phases |= watched_in_phases(
            {name: out / path for name, path in PHASES.items()},
            *fedrec, "simulate", "--data", data, "--base", base, "--clients", clients, "--rounds", 1, "--out", out,
            "--workers", workers, *settings,
        )  # fmt: skip
        phases["recommend"] = watched(*fedrec, "recommend", "--run", out, "--user", people // 2)
    world = {"people": people, "titles": titles, "rows": rows, "clients": clients, "learnt": learnt}
    for name, figures in phases.items():
        print(name, {key: round(value, 1) for key, value in figures.items()}, flush=True)
    write_result("at_size", {**world, "phases": phases})


if __name__ == "__main__":
    run_command(main)
