"""What this machine computes on: device, precision and threads, chosen once for a run and recorded in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from fedrec.config import TrainConfig
from fedrec.errors import UsageError


def resolve(config: TrainConfig) -> TrainConfig:
    """The configuration with every "auto" replaced by what this machine has.

    The number of threads is fixed too: sums run in another order with another number, so it belongs to the run.
    """
    device = torch_device(config.device)
    precision = config.precision
    if precision == "auto":
        precision = "bf16" if _fast_bf16(device) else "fp32"
    threads = config.threads or len(os.sched_getaffinity(0))
    return config.model_copy(update={"device": str(device), "precision": precision, "threads": threads})


def torch_device(name: str) -> torch.device:
    """The device of that name, "auto" being the first GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"train.device = {name}: use cpu, cuda, cuda:1 or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"train.device = {name}: this machine has no CUDA device; use cpu")
    return device


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which the base model computes."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def use_threads(config: TrainConfig) -> None:
    """Make this process compute with the run's number of threads."""
    if config.threads and torch.get_num_threads() != config.threads:
        torch.set_num_threads(config.threads)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within this block torch computes with so many threads; then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def crowding(workers: int, threads: int) -> str:
    """What to do where so many processes, of so many threads each, have to share cores; empty where they do not."""
    cores = len(os.sched_getaffinity(0))
    if threads == 1 or workers * threads <= cores:
        return ""
    return f"hint: {workers} workers with {threads} threads each share {cores} cores: --set train.threads=1 is faster"


def sleep_while_waiting(workers: int, threads: int) -> None:
    """Let processes started from here on, where they share cores, not spin on a core that another one needs.

    They compute the same bytes. Two of two threads each took five times as long on two cores when they spun.
    """
    if crowding(workers, threads):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
