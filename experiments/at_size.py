"""A world of 100,000 people, 100,000 titles, 2,000,000 rows and 1,000 clients: seconds and peak memory by phase.

Made up and written as one CSV file; 20,000 rows are learnt from, over a tiny random base model, so that what counts
is what stands around the training. Reading is held against pyarrow reading and encoding the same file alone.

    python -m experiments.at_size
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import psutil
import typer

from experiments.common import run_command, write_result
from fedrec.models.pretraining import new_llama, train_tokenizer

ALONE = """
import sys
import pyarrow.csv as csv
table = csv.read_csv(sys.argv[1])
for name in ("user", "item", "title"):
    table[name].dictionary_encode()
"""
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


def timed(*command: object) -> dict[str, float]:
    """Seconds and peak memory of a process with its children, looked at ten times a second; what it prints is shown."""
    began, peak = time.monotonic(), 0
    process = psutil.Popen([*map(str, command)])
    while process.poll() is None:
        with suppress(psutil.Error):
            family = [process, *process.children(recursive=True)]
            peak = max(peak, sum(each.memory_info().rss for each in family))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {process.returncode}")
    return {"seconds": time.monotonic() - began, "peak_mib": peak / 2**20}


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
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data, base, out = folder / "ratings.csv", folder / "base", folder / "run"
    made_up(data, people, titles, rows)
    tokenizer = train_tokenizer([f"{word} {thing} {n}" for n in range(20) for word in WORDS for thing in THINGS], 400)
    new_llama(len(tokenizer), width=32, layers=2, context=512, seed=0).save_pretrained(base)
    tokenizer.save_pretrained(base)
    fedrec = (sys.executable, "-m", "fedrec")
    phases: dict[str, Any] = {"pyarrow alone": timed(sys.executable, "-c", ALONE, data)}
    phases["inspect"] = timed(*fedrec, "data", "inspect", data)
    settings = ("--set", f"data.train_rows={learnt}", "--set", "lora.rank=4")
    simulated = timed(
        *fedrec, "simulate", "--data", data, "--base", base, "--clients", clients, "--rounds", 1, "--out", out,
        "--workers", workers, *settings,
    )  # fmt: skip
    start, first = json.loads((out / "result.json").read_text())["history"]
    phases["simulate, one round"] = simulated
    phases["evaluation before round 1"] = {"seconds": start["seconds"]}
    phases["round 1"] = {"seconds": first["seconds"]}
    phases["preparation and page"] = {"seconds": simulated["seconds"] - start["seconds"] - first["seconds"]}
    user = f"{people // 2}"
    phases["recommend"] = timed(*fedrec, "recommend", "--run", out, "--user", user)
    world = {"people": people, "titles": titles, "rows": rows, "clients": clients, "learnt": learnt}
    for name, figures in phases.items():
        print(name, {key: round(value, 1) for key, value in figures.items()}, flush=True)
    write_result("at_size", {**world, "phases": phases})


if __name__ == "__main__":
    run_command(main)
