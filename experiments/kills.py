"""What the experiments that kill share: a run of seconds, the moment of a kill, and what a run serves afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from fedrec.data_settings import WorldConfig
from fedrec.models.adapter import state_hash
from fedrec.models.peft_folder import load_peft
from server.simulated_run import SimulatedRun

WORLD = WorldConfig(users=30, items=60, rows=15, cohort=10)
Settings = dict[str, Any]


def settings(base: Path) -> Settings:
    """A run of seconds, with a checkpoint after every step."""
    return {
        "base": str(base), "clients.count": 3, "federation.rounds": 3, "lora.rank": 2, "prompt.window": 128,
        "train.batch": 2, "train.epochs": 3, "train.lr": 5e-3, "train.threads": 1, "train.precision": "fp32",
        "train.device": "cpu", "train.checkpoint_seconds": 0.0,
        **{f"data.world.{key}": value for key, value in WORLD},
    }  # fmt: skip


def kill_after(seconds: float, pid: int, ended: Callable[[], bool]) -> None:
    """SIGKILL a process once it has computed for so many seconds, unless it ends before.

    Computed, not passed: so the moments mean the same however busy the machine is.
    """
    watched = psutil.Process(pid)
    while not ended():
        used = watched.cpu_times()
        if used.user + used.system >= seconds:
            watched.kill()
        time.sleep(0.002)


def served(run: SimulatedRun, name: str) -> list[str | None]:
    """What a client has on its disk to serve: each shard's hash, computed anew; none where it is withdrawn."""
    client = run.client(name)
    entries = client.ensemble.entries or []
    return [entry and state_hash(load_peft(client.folder / entry["folder"])[0]) for entry in entries]
