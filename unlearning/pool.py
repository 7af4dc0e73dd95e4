"""Shards trained one after another in this process, or as Ray tasks: on this machine, or on the cluster RAY_ADDRESS.

On Ray the base model is put into the object store once: a node fetches it once, and a worker process unpacks it once,
whatever the number of tasks. A task whose worker dies is started again; it depends on nothing but its arguments, so
the result is the same. Nodes of a cluster need fedrec installed.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol

from fedrec import hardware
from fedrec.config import LoraConfig, TrainConfig
from fedrec.errors import FedrecError
from fedrec.models.base import Base, pack, unpack
from unlearning.board import Board
from unlearning.jobs import Assignment, Trained, run_assignment

OnStep = Callable[[int, int, int], None]
"""Called with (shard, steps done, steps) of the slice that the shard is in."""

_RETRIES = 3
_POLL = 0.5  # seconds between looks at the workers' progress


class Trainer(Protocol):
    """What trains shards."""

    def train(
        self, base: Base, lora: LoraConfig, settings: TrainConfig, assignments: Sequence[Assignment], on_step: OnStep
    ) -> Iterator[Trained]:
        """The trained shards, in the order in which they are done."""
        ...


@dataclass(frozen=True)
class Pool:
    """
    Attributes:
        workers: shards trained at a time on this machine, or asked of a cluster; 0 = in this process.
        gpus: the part of a GPU that a shard needs.
    """

    workers: int = 0
    gpus: float = 0.0

    def train(
        self, base: Base, lora: LoraConfig, settings: TrainConfig, assignments: Sequence[Assignment], on_step: OnStep
    ) -> Iterator[Trained]:
        """The trained shards, in the order in which they are done.

        Raises:
            FedrecError: Ray is missing or unreachable, or a shard cannot be trained.
        """
        if not self.workers:
            for assignment in assignments:
                tick = partial(on_step, assignment.job.shard)
                yield run_assignment(base.model, lora, settings, assignment, tick)
        elif assignments:
            with _ray(self.workers, settings.threads, self.gpus) as ray:
                yield from self._on_ray(ray, base, lora, settings, assignments, on_step)

    def _on_ray(
        self,
        ray: Any,
        base: Base,
        lora: LoraConfig,
        settings: TrainConfig,
        assignments: Sequence[Assignment],
        on_step: OnStep,
    ) -> Iterator[Trained]:
        model = ray.put(pack(base.model))
        board = ray.remote(num_cpus=0)(Board).remote()
        remote = ray.remote(num_cpus=settings.threads or 1, num_gpus=self.gpus, max_retries=_RETRIES)(_train_shard)
        waiting = [remote.remote([model], model.hex(), lora, settings, each, board) for each in assignments]
        while waiting:
            done, waiting = ray.wait(waiting, timeout=_POLL)
            for shard, (step, steps) in ray.get(board.read.remote()).items():
                on_step(shard, step, steps)
            for reference in done:
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayError as error:
                    reason = str(error).strip().splitlines()[-1]
                    raise FedrecError(f"a shard could not be trained ({reason}); start again to continue") from None


def _train_shard(
    model: list[Any], key: str, lora: LoraConfig, settings: TrainConfig, assignment: Assignment, board: Any
) -> Trained:
    """On a worker. The reference to the model stands in a list, so that Ray does not fetch it for every task."""
    hardware.use_threads(settings)
    shard = assignment.job.shard

    def tick(step: int, steps: int) -> None:
        if step % 10 == 0 or step == steps:
            board.write.remote(shard, step, steps)

    _REFERENCES[key] = model[0]
    return run_assignment(_unpacked(key, settings.device), lora, settings, assignment, tick)


_REFERENCES: dict[str, Any] = {}


@lru_cache(maxsize=1)
def _unpacked(key: str, device: str) -> Any:
    """The model behind a reference, once in this process."""
    import ray

    return unpack(ray.get(_REFERENCES[key]), device)


@contextmanager
def _ray(workers: int, threads: int, gpus: float) -> Iterator[Any]:
    """Ray, connected for as long as it is needed."""
    if importlib.util.find_spec("ray") is None:
        raise FedrecError("--workers needs Ray: pip install 'fedrec[simulation]', or use --workers 0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    how: dict[str, Any] = {"address": address}
    if not address:  # Ray counts tokens, not cores: each shard takes as many as it has threads
        how = {"address": "local", "num_cpus": workers * max(1, threads), "include_dashboard": False}
        how["num_gpus"] = max(1, int(workers * gpus)) if gpus else 0
    try:
        _reach(address)
        ray.init(**how, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        where = f"RAY_ADDRESS = {address}" if address else "Ray"
        reason = str(error).strip().splitlines()[0]
        raise FedrecError(f"{where}: cannot be reached ({reason}); start it, or use --workers 0") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """OSError where nobody listens at host:port; Ray itself would go on trying for ten minutes."""
    host, colon, port = (address or "").partition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=5).close()
