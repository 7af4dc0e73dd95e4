"""What deleting one user costs, beside training one model anew without the user.

Rows: users are deleted, one after another, from models of K shards, with and without slices; the rows that training
processes are counted, and so are those of one model trained anew. How many times fewer they are is told in two ways:

    mean    the mean over the users of (rows of full retraining / rows of the deletion): what a user may expect
    total   all rows of full retraining / all rows of the deletions: what a provider may expect

With equal shards both are K without slices. R slices multiply the total by 1 / (2/3 + 1/(3R)) (SISA, Bourtoule et al.
2021; 1.33 for R = 4) and the mean by more (1.51): a user in the last slice, whose deletion trains that alone, counts
as much as one in the first, who has the whole shard trained again. A keyed hash makes shards unequal, and most users
live in the larger ones: the total falls (N^2 / sum of n_s^2 instead of K), the mean stays. The user's own rows, which
go, raise both a little. `everybody` is over all users, by where they live, and is what the goals are held against;
`deleted` is over the few who were deleted, the first of whom must cost exactly what `everybody` has for that user.

Five passes, because then R = 4 slices of floor(2 * 5 / (R + 1)) = 2 passes cost together what five passes cost.

Seconds: both are given the same two workers of one thread each, which have started already. Full retraining trains one
model, which cannot be spread, and deleting a user one shard: only the judging of the new adapter on the validation rows
(apa-nd), here about 500 as in the paper, has work for the second worker. The clock of a deletion runs from the
call until the shard is served again, so it includes the withdrawal, prompts and that judging; the clock of full
retraining, likewise, from the call until the model is served. `of_rows` is (times fewer seconds) / (times fewer rows).
The world is three times as large as the one the rows are counted in.

    python -m experiments.deletion_cost
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from experiments.common import last_result, run_command, tiny_base, write_result
from experiments.workers import started
from fedrec.base_models.named import base_name
from fedrec.config import RunConfig, load
from fedrec.data.dataset import TRAIN
from fedrec.data.load import load_dataset
from fedrec.data.selection import Selection
from fedrec.preparation import resolve
from unlearning.central.model import Deletion, ShardedModel
from unlearning.comparison.compare import draw
from unlearning.compute.workers import InProcess, Workers
from unlearning.methods import method_named
from unlearning.shards.training import slice_settings

PASSES, SLICES = 5, (1, 4)
WORKERS, TIMED_SHARDS, TIMED = 2, 8, ("hash+average-nd", "hash+apa-nd")
GOALS = {1: 0.95, 4: 1.4}  # times K fewer rows, by slices
OF_ROWS = 0.9
TIMED_SETTINGS = {"data.world.users": 720, "aggregation.validation": 1 / 6}
CPU = {"train.threads": 1, "train.device": "cpu", "train.epochs": PASSES}
QUICK = {  # rows are rows, however they are learnt
    "data.world.rows": 20, "prompt.window": 128, "prompt.past": 0.0, "train.batch": 32, "lora.rank": 2,
    "lora.targets": ("q_proj", "v_proj"),
}  # fmt: skip


class Bench:
    """One seed's data and the users to be deleted."""

    def __init__(self, config: RunConfig, seed: int, users: int) -> None:
        self.config = config.model_copy(update={"seed": seed})
        self.dataset = load_dataset(self.config.data, seed)
        self.users = draw(self.dataset, "user", users, seed).users

    def model(self, folder: Path, method: str, shards: int, slices: int) -> ShardedModel:
        return ShardedModel.create(
            folder, self.config, method_named(method, shards, slices, self.config.aggregation), self.dataset
        )

    def delete(self, model: ShardedModel, pool: Workers) -> Iterator[Deletion]:
        """The users, one after another, from a model that knew them all."""
        model.train(pool)
        for user in self.users:
            yield model.forget(Selection(users=(user,)), pool)


# Rows


def rows(bench: Bench, partitions: list[str], shards: list[int], folder: Path) -> list[dict[str, Any]]:
    """A row for every partition, number of shards and number of slices."""
    retrained = bench.model(folder / "retraining", "retraining", 1, 1)
    full = [deletion.cost.rows for deletion in bench.delete(retrained, InProcess())]
    found = []
    for partition, count, slices in ((p, k, r) for p in partitions for k in shards for r in SLICES):
        model = bench.model(folder / f"{partition}-{count}-{slices}", f"{partition}+average-nd", count, slices)
        sizes = np.bincount(model.table.assignment.shard[model.table.assignment.shard >= 0], minlength=count)
        expected = everybody(model)
        own = [deletion.cost.rows for deletion in bench.delete(model, InProcess())]
        first = bench.users[0]  # from a model that knew everybody; the later ones find fewer rows
        if expected[first] != (full[0], own[0]):
            raise SystemExit(f"{first}: {full[0]} and {own[0]} rows, expected {expected[first]}")
        found.append({
            "partition": partition, "shards": count, "slices": slices, "seed": bench.config.seed,
            "balance": float(sizes.max() / max(1, sizes.min())), "sizes": sizes.tolist(),
            "rows_full": full, "rows": own,
            "deleted": times_fewer(list(zip(full, own, strict=True)), count),
            "everybody": times_fewer(list(expected.values()), count),
        })  # fmt: skip
        print(
            f"{partition} K={count} R={slices}: {found[-1]['deleted']} everybody {found[-1]['everybody']}", flush=True
        )
    return found


def everybody(model: ShardedModel) -> dict[str, tuple[int, int]]:
    """By user: the rows that full retraining without that one alone, and the user's shard, would process."""
    table, slices = model.table, model.method.slices
    people, teaching = table.interactions, table.interactions.split == TRAIN
    passes = slice_settings(model.config.train, slices).epochs
    found = {}
    for user in np.unique(people.user[teaching]):
        mine = teaching & (people.user == user)
        shard, first = int(table.assignment.shard[mine][0]), int(table.assignment.slice[mine][0])
        learned = [table.assignment.learned(shard, upto) & ~mine for upto in range(first, slices)]
        found[people.user_ids[user]] = (PASSES * int(np.sum(teaching & ~mine)), passes * int(np.sum(learned)))
    return found


def times_fewer(rows: Sequence[tuple[int, int]], shards: int) -> dict[str, float]:
    """How many times K fewer, by mean and in total, of (rows of full retraining, rows of the deletion)."""
    full, own = map(sum, zip(*rows, strict=True))
    mean = statistics.fmean(whole / max(1, part) for whole, part in rows)  # nothing, of who was alone, counts as a row
    return {"mean": mean / shards, "total": full / own / shards}


# Seconds


def seconds(bench: Bench, pool: Workers, folder: Path) -> list[dict[str, Any]]:
    """A row for every timed method, without slices and with them."""
    full = bench.model(folder / "full", "retraining", 1, 1).train(pool)
    found = []
    for method, slices in ((m, r) for m in TIMED for r in SLICES):
        model = bench.model(folder / f"{method}-{slices}", method, TIMED_SHARDS, slices)
        done = list(bench.delete(model, pool))
        fewer = [full.seconds / each.seconds for each in done]
        of_rows = [ratio / (full.rows / each.cost.rows) for ratio, each in zip(fewer, done, strict=True)]
        found.append({
            "method": method, "shards": TIMED_SHARDS, "slices": slices, "seed": bench.config.seed,
            "seconds_full": full.seconds, "rows_full": full.rows,
            "seconds": [each.seconds for each in done], "rows": [each.cost.rows for each in done],
            "times_fewer_seconds": fewer, "of_rows": of_rows, "median_of_rows": statistics.median(of_rows),
        })  # fmt: skip
        print(
            f"{method} R={slices}: {full.seconds:.1f} s against {found[-1]['seconds']}, of rows {of_rows}", flush=True
        )
    return found


# Both


def summary(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The means over seeds, per partition and number of slices and shards, beside the goal."""
    groups: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    for row in found:
        groups.setdefault((row["partition"], row["shards"], row["slices"]), []).append(row)
    means = []
    for (partition, shards, slices), mine in groups.items():
        entry: dict[str, Any] = {"partition": partition, "shards": shards, "slices": slices}
        entry["balance"] = statistics.fmean(row["balance"] for row in mine)
        for who in ("deleted", "everybody"):
            for way in ("mean", "total"):
                entry[f"{who}_{way}"] = statistics.fmean(row[who][way] for row in mine)
        means.append(entry | {"goal": GOALS[slices], "reached": entry["everybody_mean"] >= GOALS[slices]})
    return means


def counted(partitions: list[str], shards: list[int], seeds: list[int], users: int) -> list[dict[str, Any]]:
    found = []
    with tempfile.TemporaryDirectory() as place:
        config = load(overrides={**CPU, **QUICK})
        config = resolve(config.model_copy(update={"base": str(tiny_base(Path(place) / "base", config.data.world))}))
        for seed in seeds:
            found += rows(Bench(config, seed, users), partitions, shards, Path(place) / str(seed))
    return found


def timed(seeds: list[int], users: int) -> list[dict[str, Any]]:
    found = []
    config = resolve(load(overrides={**CPU, **TIMED_SETTINGS}))
    with tempfile.TemporaryDirectory() as place:
        for seed in seeds:
            bench = Bench(config, seed, users)
            bench.config = bench.config.model_copy(update={"base": base_name(bench.dataset, config)})
            with started(WORKERS) as pool:
                found += seconds(bench, pool, Path(place) / str(seed))
    return found


def main(
    partitions: str = "hash,random-user",
    shards: str = "4,8,16",
    seeds: str = "1,2,3",
    users: Annotated[int, typer.Option(help="Users deleted of each model.")] = 2,
    timed_seeds: Annotated[str, typer.Option(help="Seeds of the wall clock; empty = rows only.")] = "1",
    timed_users: Annotated[int, typer.Option(help="Users deleted of each model on the wall clock.")] = 3,
    clock: Annotated[bool, typer.Option("--clock", help="Only seconds; the rows are those counted last.")] = False,
) -> None:
    """Count and measure."""
    torch.set_num_threads(1)
    if clock:
        cells = last_result("deletion_cost")["rows"]
    else:
        cells = counted(partitions.split(","), _numbers(shards), _numbers(seeds), users)
    means = summary(cells)
    runs = timed(_numbers(timed_seeds), timed_users)
    taken = {"workers": WORKERS, "goal": OF_ROWS, "settings": TIMED_SETTINGS, "runs": runs}
    write_result("deletion_cost", {"passes": PASSES, "summary": means, "rows": cells, "seconds": taken})
    for entry in means:
        print(entry)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


if __name__ == "__main__":
    run_command(main)
