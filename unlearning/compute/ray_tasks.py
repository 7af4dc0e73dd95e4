"""Work on the frozen base model as Ray tasks, on this machine or on the cluster RAY_ADDRESS.

On Ray the base model is put into the object store once: a node fetches it once, and a worker process unpacks it once,
whatever the number of tasks. A task whose worker dies is started again; it depends on nothing but its arguments, so
the result is the same. Nodes of a cluster need fedrec installed.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from fedrec import hardware
from fedrec.config import TrainConfig
from fedrec.errors import FedrecError
from fedrec.models.base import Base, pack, unpack
from unlearning.compute.progress_board import Board
from unlearning.compute.workers import Crew, OnStep, T, Work, now_and_then, silent

_RETRIES = 3
_POLL = 0.5  # seconds between looks at the workers' progress


@dataclass(frozen=True)
class RayTasks:
    """
    Attributes:
        workers: pieces done at a time on this machine, or asked of a cluster.
        gpus: the part of a GPU that a piece needs.
    """

    workers: int
    gpus: float = 0.0

    @contextmanager
    def crew(self, base: Base, settings: TrainConfig) -> Iterator[Crew]:
        with ExitStack() as stack:
            yield _OnRay(self, base, settings, stack)


@dataclass(frozen=True)
class _OnRay:
    """Ray, which is started for the first piece of work and stopped with `stack`."""

    asked: RayTasks
    base: Base
    settings: TrainConfig
    stack: ExitStack

    @property
    def width(self) -> int:
        return self.asked.workers

    def run(self, work: Sequence[Work[T]], on_step: OnStep = silent) -> Iterator[T]:
        if not work:
            return
        ray, model, threads = self._ray, self._model, self.settings.threads
        how = {"num_cpus": threads or 1, "num_gpus": self.asked.gpus, "max_retries": _RETRIES}
        remote = ray.remote(**how, max_calls=0)(_on_base)  # by itself Ray ends a worker with each task on a GPU
        ray.get(self._board.read.remote())  # what a worker wrote when nobody asked any more
        waiting = [remote.remote([model], model.hex(), self.settings, each, self._board) for each in work]
        while waiting:
            done, waiting = ray.wait(waiting, timeout=_POLL)
            for shard, (step, steps) in ray.get(self._board.read.remote()).items():
                on_step(shard, step, steps)
            for reference in done:
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayError as error:
                    reason = str(error).strip().splitlines()[-1]
                    raise FedrecError(f"a worker on Ray failed ({reason}); start again to continue") from None

    @cached_property
    def _ray(self) -> Any:
        return self.stack.enter_context(_ray(self.asked.workers, self.settings.threads, self.asked.gpus))

    @cached_property
    def _model(self) -> Any:
        return self._ray.put(pack(self.base.model))

    @cached_property
    def _board(self) -> Any:
        return self._ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Board).remote()


def _on_base(model: list[Any], key: str, settings: TrainConfig, work: Work[T], board: Any) -> T:
    """On a worker. The reference to the model stands in a list, so that Ray does not fetch it for every task."""
    hardware.use_threads(settings)
    _REFERENCES[key] = model[0]
    return work.run(_unpacked(key, settings.device), now_and_then(work.shard, board.write.remote))


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
