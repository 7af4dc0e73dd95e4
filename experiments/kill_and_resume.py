"""Killed runs end as uninterrupted ones, and bad replies leave no trace.

Runs of `fedrec simulate` are killed with SIGKILL at moments spread over their whole life, resumed, some killed again;
their hashes, metrics and served models must equal those of runs left alone. Then every kind of bad reply is sent by one
client in every round; the others' models must equal, bit for bit, those of a run in which that client never answers.

    python -m experiments.kill_and_resume
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from flwr.app import Message

from clients.app import app as client_app
from experiments.bad_replies import BAD_REPLIES, Arrays, Corrupting, Metrics, Wire
from experiments.common import run_command, tiny_base, workplace, write_result
from experiments.kills import WORLD, Settings, kill_after, served, settings
from fedrec.config import RunConfig, load
from fedrec.files import read_json
from fedrec.protocol.questions import Train
from server.prepare import prepare
from server.simulated_run import SimulatedRun, open_run
from server.training import run_rounds
from server.transports.in_process import LocalGrid

STRATEGIES = ("pplr", "ditto", "fedavg", "pplr,ditto,fedavg")
AWAY = "client-1"  # who sends bad replies, or none


# Kills


def start(folder: Path, strategy: str, configured: Settings) -> subprocess.Popen[bytes]:
    """`fedrec simulate`: a new run, or the one in the folder resumed. What it says goes beside the folder."""
    command = [sys.executable, "-m", "fedrec.cli", "simulate"]
    if (folder / "config.json").exists():
        command += ["--resume", str(folder)]
    else:
        command += ["--out", str(folder), "--strategy", strategy]
        command += [word for key, value in configured.items() for word in ("--set", f"{key}={value}")]
    environment = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def finish(folder: Path, strategy: str, configured: Settings) -> float:
    """Let it run to its end; the seconds it computed."""
    began = os.times().children_user + os.times().children_system
    if code := start(folder, strategy, configured).wait():
        raise SystemExit(f"{folder}: exit code {code}: {folder.with_suffix('.log').read_text()[-500:]}")
    return os.times().children_user + os.times().children_system - began


def kill(folder: Path, strategy: str, configured: Settings, seconds: float) -> str:
    """Start it and kill it when it has computed for so many seconds; what it was doing."""
    process = start(folder, strategy, configured)
    kill_after(seconds, process.pid, lambda: process.poll() is not None)
    return doing(folder) if process.returncode == -signal.SIGKILL else "ended before"


def doing(folder: Path) -> str:
    """What a killed run was about to finish, by what it left."""
    if not (folder / "config.json").exists():
        return "starting"
    main = open_run(folder)
    runs = (main, *main.baselines)
    if not all(run.prepared for run in runs):
        return "preparing"
    for run in runs:
        last = run.rounds.last()
        if last is None or last < run.config.federation.rounds:
            return f"round {0 if last is None else last + 1} of {run.config.strategy}"
    return "writing the result"


def outcome(folder: Path) -> dict[str, Any]:
    """What must be equal, by strategy: the hash, the metrics, and what each client has on its disk to serve."""
    main = open_run(folder)
    found = {}
    for run in (main, *main.baselines):
        result = read_json(run.folder / "result.json")
        found[run.config.strategy] = {
            "hash": result["adapter_hash"],
            "metrics": [entry["clients"] for entry in result["history"]],
            "served": {name: served(run, name) for name in run.clients},
        }
    return found


def kills(count: int, seed: int, folder: Path, configured: Settings) -> dict[str, Any]:
    chance = random.Random(seed)
    whole, life = {}, {}
    for strategy in STRATEGIES:
        life[strategy] = finish(folder / "whole" / strategy, strategy, configured)
        whole[strategy] = outcome(folder / "whole" / strategy)
    rows = []
    for number in range(count):
        strategy, run = STRATEGIES[number % len(STRATEGIES)], folder / f"killed-{number}"
        moment = (number + chance.random()) / count  # one in each part of a run's life
        again = [chance.random() for _ in range(2) if chance.random() < 0.5]
        hits = []
        for part in (moment, *again):
            seconds = part * life[strategy]
            hit = kill(run, strategy, configured, seconds)
            hits.append({"after_cpu_seconds": seconds, "hit": hit})
        finish(run, strategy, configured)
        found = outcome(run)
        rows.append({
            "strategies": strategy, "kills": hits, "equal": found == whole[strategy],
            "hash": {name: facts["hash"] for name, facts in found.items()},
        })  # fmt: skip
        print(f"{number + 1}/{count} {strategy}: {[hit['hit'] for hit in hits]} equal: {rows[-1]['equal']}", flush=True)
        shutil.rmtree(run)
    return {
        "killed": sum(hit["hit"] != "ended before" for row in rows for hit in row["kills"]),
        "equal": sum(row["equal"] for row in rows),
        "of": count,
        "hit": sorted({hit["hit"] for row in rows for hit in row["kills"]}),
        "uninterrupted": {s: {name: facts["hash"] for name, facts in whole[s].items()} for s in STRATEGIES},
        "runs": rows,
    }


# Bad replies


class Silent(LocalGrid):
    """A grid on which one client never answers when asked to train."""

    def push_messages(self, messages_: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages_)
        numbers = list(super().push_messages(pushed))
        for number, message in zip(numbers, pushed, strict=True):
            node = message.metadata.dst_node_id
            if message.metadata.message_type == Train.kind and f"client-{node - 1}" == AWAY:
                del self._waiting[number]
        return numbers


def honest(arrays: Arrays, metrics: Metrics) -> Wire:
    """The control: a good reply, which must not leave the models as they are without the client."""
    return arrays, metrics


def bad_replies(strategy: str, folder: Path, configured: Settings) -> list[dict[str, Any]]:
    """A row per kind of bad reply: whether it was named, the rounds went on, and nothing of it stayed."""
    config = load(overrides={**configured, "strategy": strategy})
    without = prepare(load(overrides={**configured, "strategy": strategy, "federation.deadline": 5.0}), folder / "none")
    run_rounds(Silent(client_app, without.nodes()), without)
    if same_models(with_replies(honest, config, folder / "honest"), without):
        raise SystemExit("the comparison says nothing: the client's good replies change no model")
    rows = []
    for kind, spoil in BAD_REPLIES.items():
        run = with_replies(spoil, config, folder / kind.replace(" ", "-"))
        rounds = run.rounds.history()[1:]
        dropped = [[drop.client for drop in entry.dropped] for entry in rounds]
        rows.append({
            "kind": kind, "strategy": strategy, "reason": rounds[0].dropped[0].reason,
            "rounds_done": len(rounds), "only_it_dropped": dropped == [[AWAY]] * config.federation.rounds,
            "equal_to_without": same_models(run, without),
        })  # fmt: skip
        print(f"{strategy}, {kind}: {rows[-1]['reason']}; equal to without: {rows[-1]['equal_to_without']}", flush=True)
    return rows


def with_replies(spoil: Callable[[Arrays, Metrics], Wire], config: RunConfig, folder: Path) -> SimulatedRun:
    """A run in which one client's replies are passed through `spoil`."""
    run = prepare(config, folder)
    run_rounds(LocalGrid(Corrupting(spoil, AWAY), run.nodes()), run)
    return run


def same_models(one: SimulatedRun, other: SimulatedRun) -> bool:
    """Whether all clients' models after the last round are equal to the last bit."""
    mine, theirs = (run.rounds.models(run.config.federation.rounds) for run in (one, other))
    return mine.keys() == theirs.keys() and all(
        a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
        for client in mine
        for a, b in zip(mine[client], theirs[client], strict=True)
    )


def main(
    runs: Annotated[int, typer.Option(help="Runs to kill.")] = 20,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Where the runs go; none = a temporary folder.")] = None,
) -> None:
    """Kill, resume and compare; spoil replies and compare."""
    torch.set_num_threads(1)
    with workplace(folder) as place:
        configured = settings(tiny_base(place / "base", WORLD))
        killed = kills(runs, seed, place, configured)
        replies = [row for s in ("pplr", "fedavg") for row in bad_replies(s, place / f"replies-{s}", configured)]
    harmless = sum(row["only_it_dropped"] and row["equal_to_without"] for row in replies)
    write_result("kill_and_resume", {
        "kills": killed, "bad_replies": {"harmless": harmless, "of": len(replies), "replies": replies}
    })  # fmt: skip
    print(f"{killed['equal']} of {runs} killed runs equal; {harmless} of {len(replies)} bad replies left no trace")
    if killed["equal"] < runs or harmless < len(replies):
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
