"""Threads and precision by the size of the base, and how threads wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from fedrec import hardware
from fedrec.config import TrainConfig
from fedrec.hardware import precision_for, settle_threads


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_a_small_base_computes_with_one_thread_on_every_machine(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: cores)
    with torch.device("meta"):
        small, big = torch.nn.Linear(1000, 1000), torch.nn.Linear(10_000, 10_000)
    assert settle_threads(TrainConfig(), small).threads == 1
    assert settle_threads(TrainConfig(), big).threads == cores
    assert settle_threads(TrainConfig(threads=3), small).threads == 3


@pytest.mark.parametrize("fast", [False, True])
def test_a_small_base_computes_in_fp32_on_every_processor(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(hardware, "fast_precision", lambda device: "bf16" if fast else "fp32")
    with torch.device("meta"):
        small, big = torch.nn.Linear(1000, 1000), torch.nn.Linear(10_001, 10_000)
    assert precision_for(small, torch.device("cpu")) == "fp32"
    assert precision_for(big, torch.device("cpu")) == ("bf16" if fast else "fp32")
    assert precision_for(small, torch.device("cuda")) == ("bf16" if fast else "fp32")


@pytest.mark.parametrize(
    ("entry", "chosen", "policy"),
    [
        ("fedrec.cli", None, "PASSIVE"),
        ("fedrec.cli", "ACTIVE", "ACTIVE"),
        ("clients.app", None, "PASSIVE"),
        ("server.app", None, "PASSIVE"),
        ("unlearning.central.model", None, "PASSIVE"),
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
