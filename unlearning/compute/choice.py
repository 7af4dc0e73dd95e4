"""Where shards are trained side by side."""

from __future__ import annotations

import os

from fedrec.parallel.worker_count import AUTO
from unlearning.compute.crew import Workers
from unlearning.compute.processes import LocalProcesses
from unlearning.compute.ray_tasks import RayTasks


def workers_for(workers: str | int, shards: int, gpus: float = 0.0) -> Workers:
    """On Ray where there is a cluster or where GPUs are shared out; otherwise in processes on this machine.

    Args:
        workers: as `parse_workers` gives it.
        gpus: part of a GPU that a shard needs.
    """
    if workers != 0 and (gpus or os.environ.get("RAY_ADDRESS")):
        return RayTasks(shards if workers == AUTO else int(workers), gpus)
    return LocalProcesses(workers, shards)
