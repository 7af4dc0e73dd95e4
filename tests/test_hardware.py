"""Threads by the size of the base, processes by the cores that are left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from fedrec import hardware
from fedrec.config import TrainConfig
from fedrec.hardware import crowding, settle_threads, side_by_side


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_a_small_base_computes_with_one_thread_on_every_machine(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: cores)
    with torch.device("meta"):
        small, big = torch.nn.Linear(1000, 1000), torch.nn.Linear(10_000, 10_000)
    assert settle_threads(TrainConfig(), small).threads == 1
    assert settle_threads(TrainConfig(), big).threads == cores
    assert settle_threads(TrainConfig(threads=3), small).threads == 3


@pytest.mark.parametrize(
    ("cores", "threads", "pieces", "processes"),
    [(2, 1, 5, 2), (8, 1, 5, 5), (8, 3, 5, 2), (8, 8, 5, 0), (1, 1, 5, 0), (8, 1, 1, 0), (1, 4, 5, 0)],
)
def test_as_many_processes_as_there_are_cores_for_their_threads_and_work(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, pieces: int, processes: int
) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: cores)
    assert side_by_side(TrainConfig(device="cpu", threads=threads), pieces) == processes


@pytest.mark.parametrize(("workers", "threads", "crowded"), [(2, 2, True), (2, 1, False), (1, 2, False), (8, 1, False)])
def test_more_threads_than_cores_are_told(
    monkeypatch: pytest.MonkeyPatch, workers: int, threads: int, crowded: bool
) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: 2)
    assert ("--set train.threads=1" in crowding(workers, threads)) == crowded


@pytest.mark.parametrize(
    ("entry", "chosen", "policy"),
    [
        ("fedrec.cli", None, "PASSIVE"),
        ("fedrec.cli", "ACTIVE", "ACTIVE"),
        ("clients.app", None, "PASSIVE"),
        ("server.app", None, "PASSIVE"),
        ("unlearning.model", None, "PASSIVE"),
    ],
)
def test_waiting_threads_sleep_before_torch_is_there(entry: str, chosen: str | None, policy: str) -> None:
    """OpenMP reads the policy when torch loads it, so it has to stand before; what somebody chose is kept."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": chosen} if chosen else {}
    done = subprocess.run(
        [sys.executable, "-c", _UNTIL_TORCH.format(entry)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{policy}\n"


_UNTIL_TORCH = """
import os, sys

class Watch:
    @staticmethod
    def find_spec(name, *_):
        if name == "torch._C":
            print(os.environ.get("OMP_WAIT_POLICY"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch)
import {0}
import torch
"""
