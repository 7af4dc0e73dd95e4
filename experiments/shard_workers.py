"""Shards on Ray: what a second worker is worth, and the same bytes whatever is killed.

Speed: eight shards of equally many users over the embedded base model, trained by one worker of one thread and by two,
in alternating order. `warm` is measured with the workers started and what they need imported, `cold` from nothing, Ray
and its workers started within. Both must give the same adapters. `plain` is what this machine has to give: the same
shards in one process and in two that know nothing of each other, without Ray (CPUs that share a core, or its memory's
bandwidth, are worth less than two).

Kills: a process trains eight shards on two workers. At one random moment of its life a worker that is training is
killed with SIGKILL, at another the process itself, whichever comes first; it is started again and must leave the same
bytes (adapters, manifest, tables, predictions) as one that was left alone.

    python -m experiments.shard_workers
"""

from __future__ import annotations

import math
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import IO, Annotated, Any, cast

import psutil
import torch
import typer

from experiments.common import run_command, tiny_base, write_result
from experiments.models import content
from experiments.processes import runs
from experiments.workers import started
from fedrec.base_models.named import base_name
from fedrec.config import RunConfig, load
from fedrec.data.load import load_dataset
from fedrec.data_settings import WorldConfig
from fedrec.models.adapter import initial_state, state_hash
from fedrec.preparation import resolve
from unlearning.central.model import ShardedModel
from unlearning.compute.ray_tasks import RayTasks
from unlearning.compute.workers import Workers
from unlearning.methods import method_named
from unlearning.shards.training import ShardTraining, slice_settings

SHARDS, METHOD, GOAL = 8, "random-user+average-nd", 1.6
KILLED = WorldConfig(users=48, items=60, rows=15, cohort=10)
TRAINING = {"train.batch": 2, "train.epochs": 20, "lora.rank": 2, "prompt.window": 128}  # long enough to be hit
DRIVER = """
import sys
from pathlib import Path
from unlearning.central.model import ShardedModel
from unlearning.compute.ray_tasks import RayTasks
ShardedModel(Path(sys.argv[1])).train(RayTasks(2))
"""


PLAIN = """
import sys
from pathlib import Path
from experiments.shard_workers import Race, ShardedModel
from unlearning.compute.workers import InProcess
race = Race(ShardedModel(Path(sys.argv[1])))
race.assignments = race.assignments[int(sys.argv[2])::int(sys.argv[3])]
print("ready", flush=True)
sys.stdin.read()
print(race.seconds(InProcess()))
"""


def untrained(folder: Path, config: RunConfig) -> ShardedModel:
    return ShardedModel.create(folder, config, method_named(METHOD, SHARDS), load_dataset(config.data, config.seed))


# Speed


class Race:
    """Eight shards to train."""

    def __init__(self, model: ShardedModel) -> None:
        self.folder, config = model.folder, model.config
        self.base, self.settings = model.base, slice_settings(config.train, model.method.slices)
        start = initial_state(self.base.model, config.lora, config.seed)
        self.assignments = [ShardTraining(job, 0, start, config.lora, self.settings) for job in model.jobs()]
        self.adapters: set[tuple[str, ...]] = set()  # one, if all runs agree

    def seconds(self, pool: Workers) -> float:
        began = time.perf_counter()
        with pool.crew(self.base, self.settings) as crew:
            trained = list(crew.run(self.assignments))
        taken = time.perf_counter() - began
        trained.sort(key=lambda each: each.shard)
        self.adapters.add(tuple(state_hash(each.states[-1]) for each in trained))
        return taken

    def plain(self, processes: int) -> float:
        """Seconds until so many processes are done that train a part of the shards each."""
        started = [
            subprocess.Popen(
                [sys.executable, "-c", PLAIN, self.folder, str(k), str(processes)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for k in range(processes)
        ]  # fmt: skip
        for each in started:
            cast(IO[str], each.stdout).readline()  # it is ready
        for each in started:
            cast(IO[str], each.stdin).close()
        seconds = [float(cast(IO[str], each.stdout).read()) for each in started]
        for each in started:
            each.wait()
        return max(seconds)

    def run(self, repeats: int) -> dict[str, Any]:
        times: dict[str, dict[int, list[float]]] = {name: {1: [], 2: []} for name in ("warm", "cold", "plain")}
        for repeat in range(repeats):
            for workers in (1, 2)[:: -1 if repeat % 2 else 1]:
                with started(workers) as pool:
                    times["warm"][workers].append(self.seconds(pool))
                times["cold"][workers].append(self.seconds(RayTasks(workers)))
                times["plain"][workers].append(self.plain(workers))
            print({name: [taken[w][-1] for w in (1, 2)] for name, taken in times.items()}, flush=True)
        faster = {
            name: [one / two for one, two in zip(taken[1], taken[2], strict=True)] for name, taken in times.items()
        }
        return {
            "goal": GOAL,
            "warm_times_faster": median(faster["warm"]),
            "cold_times_faster": median(faster["cold"]),
            "plain_times_faster": median(faster["plain"]),
            "same_adapters": len(self.adapters) == 1,
            "seconds": {name: {str(w): taken[w] for w in taken} for name, taken in times.items()},
            "windows_of_shards": [each.job.windows for each in self.assignments],
        }


# Kills


class Driver:
    """A process that trains a model on two workers, and its family."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with folder.with_suffix(".log").open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", DRIVER, folder], stdout=log, stderr=log)
        self._watched = psutil.Process(self.process.pid)
        self.family = {self._watched}
        self._computed: dict[psutil.Process, float] = {}  # also of those that have ended

    def look(self) -> float:
        """Seconds that all of it has computed.

        Computed, not passed: so the moments mean the same however busy the machine is.
        """
        time.sleep(0.05)
        with suppress(psutil.Error):
            self.family.update(self._watched.children(recursive=True))
        for each in self.family:
            with suppress(psutil.Error):
                used = each.cpu_times()
                self._computed[each] = used.user + used.system
        return sum(self._computed.values())

    def kill_worker(self, chance: random.Random) -> str | None:
        """Kill one of the workers that train; how far the model was, or none where no worker trains."""
        training = sorted((each for each in self.family if runs(each, "_on_base")), key=lambda each: each.pid)
        if not training:
            return None
        chance.choice(training).kill()
        return self.progress()

    def kill(self) -> str:
        self.process.kill()
        self.process.wait()
        return self.progress()

    def progress(self) -> str:
        return f"{len(list(self.folder.glob('shards/*/shard.json')))} of {SHARDS} shards done"

    def end(self) -> int:
        """Wait for the family; how many processes had to be ended by hand. SystemExit where the driver failed."""
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"{self.folder}: {self.folder.with_suffix('.log').read_text()[-500:]}")
        _, left = psutil.wait_procs(list(self.family), timeout=30)
        for each in left:
            each.kill()
        return len(left)


def live(folder: Path, chance: random.Random, worker_at: float, driver_at: float) -> dict[str, Any]:
    """A driver's life; a worker and the driver are killed when so many seconds have been computed."""
    driver, seconds = Driver(folder), 0.0
    hits: dict[str, str | None] = {"worker": None, "driver": None}
    while driver.process.poll() is None:
        seconds = driver.look()
        if hits["worker"] is None and seconds >= worker_at:
            hits["worker"] = driver.kill_worker(chance)
        if seconds >= driver_at:
            hits["driver"] = driver.kill()
    return {**hits, "seconds": seconds, "left_behind": driver.end()}


def interrupted(folder: Path, chance: random.Random, worker_at: float, driver_at: float) -> dict[str, Any]:
    """Two lives: where the driver's end comes first, the worker is killed in the second."""
    first = live(folder, chance, worker_at, driver_at)
    later = max(0.0, worker_at - driver_at) if first["worker"] is None else math.inf
    second = live(folder, chance, later, math.inf)
    return {
        "worker": first["worker"] or second["worker"],
        "driver": first["driver"],
        "left_behind": first["left_behind"] + second["left_behind"],
    }


def kills(count: int, seed: int, place: Path, config: RunConfig) -> dict[str, Any]:
    chance = random.Random(seed)
    untrained(place / "new", config)
    life = live(shutil.copytree(place / "new", place / "whole"), chance, math.inf, math.inf)["seconds"]
    whole = content(ShardedModel(place / "whole"))
    rows = []
    for number in range(count):
        folder = shutil.copytree(place / "new", place / f"killed-{number}")
        worker_at, driver_at = chance.random(), (number + chance.random()) / count  # the driver in each part of a life
        row = {"worker_at": worker_at, "driver_at": driver_at}
        row |= interrupted(folder, chance, worker_at * life, driver_at * life)
        rows.append(row | {"equal": content(ShardedModel(folder)) == whole})
        print(f"{number + 1}/{count} {rows[-1]}", flush=True)
        shutil.rmtree(folder)
    return {
        "equal": sum(row["equal"] for row in rows),
        "of": count,
        "workers_killed": sum(row["worker"] is not None for row in rows),
        "drivers_killed": sum(row["driver"] is not None for row in rows),
        "left_behind": sum(row["left_behind"] for row in rows),
        "life_cpu_seconds": life,
        "runs": rows,
    }


def main(
    repeats: int = 3,
    killed: Annotated[int, typer.Option(help="Runs to kill.")] = 10,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 1,
) -> None:
    """Race, kill and compare."""
    torch.set_num_threads(1)
    cpu = {"train.threads": 1, "train.device": "cpu"}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        raced = resolve(load(overrides={**cpu, "train.epochs": 8}))  # what a run's four rounds train
        raced = raced.model_copy(update={"base": base_name(load_dataset(raced.data, raced.seed), raced)})
        race = Race(untrained(place / "race", raced)).run(repeats)
        small = {**TRAINING, **{f"data.world.{key}": value for key, value in KILLED}}
        config = resolve(load(overrides={**cpu, **small, "base": str(tiny_base(place / "base", KILLED))}))
        lived = kills(killed, seed, place, config)
    write_result("shard_workers", {"shards": SHARDS, "method": METHOD, "workers": race, "kills": lived})
    possible = race["plain_times_faster"]
    print(f"two workers: {race['warm_times_faster']:.2f} times faster, two processes without Ray {possible:.2f} times")
    print(f"{lived['equal']} of {killed} killed runs equal")
    if not race["same_adapters"] or race["warm_times_faster"] < min(GOAL, 0.9 * possible) or lived["equal"] < killed:
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
