"""What this machine computes on: device, precision and threads, chosen once for a run and recorded in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from fedrec.config import TrainConfig
from fedrec.errors import UsageError
from fedrec.parallel.worker_count import cores

_SMALL = 100_000_000  # parameters of a model below which one thread is as fast as many


def resolve(config: TrainConfig) -> TrainConfig:
    """The configuration with the device that this machine has.

    The number of threads and the precision are left to the base model, see `settle_threads` and `precision_for`.
    """
    return config.model_copy(update={"device": str(torch_device(config.device))})


def precision_for(model: torch.nn.Module, device: torch.device) -> str:
    """bf16 where the hardware has it, but for a small model on a CPU.

    There a kernel is made for every new shape of a batch, which takes twice to four times as long as computing in fp32
    and keeps up to a gigabyte; and a run would depend on the processor.
    """
    if device.type == "cpu" and _is_small(model):
        return "fp32"
    return fast_precision(device)


def fast_precision(device: torch.device) -> str:
    """bf16 where the hardware has it."""
    on_cpu = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if (torch.cuda.is_bf16_supported() if device.type == "cuda" else on_cpu) else "fp32"


def settle_threads(config: TrainConfig, model: torch.nn.Module) -> TrainConfig:
    """The configuration with its number of threads, by the size of the base model where it names none.

    One for a small model, whatever the machine: a second one gives it nothing, and sums run in another order with
    another number, so a run would depend on the cores. Its clients and shards are computed side by side instead.
    """
    if config.threads:
        return config
    return config.model_copy(update={"threads": 1 if _is_small(model) else cores()})


def _is_small(model: torch.nn.Module) -> bool:
    return sum(parameter.numel() for parameter in model.parameters()) < _SMALL


def torch_device(name: str, setting: str = "train.device") -> torch.device:
    """The device of that name, "auto" being the first GPU where there is one; UsageError that names the setting."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"{setting} = {name}: use cpu, cuda, cuda:1 or auto") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"{setting} = {name}: this machine has no CUDA device; use cpu")
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
