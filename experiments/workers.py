"""Ray on this machine with its workers running, as the benchmarks of shards start it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from unlearning.compute.ray_tasks import RayTasks


@contextmanager
def started(workers: int) -> Iterator[RayTasks]:
    """A pool whose workers of one thread each have imported what they need, for as long as this block lasts."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or Ray warns
    import ray

    ray.init(
        address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    try:
        remote = ray.remote(num_cpus=0)(_wake)
        ray.get([remote.remote() for _ in range(workers + 1)])  # one process more, for the board of their progress
        yield RayTasks(workers)
    finally:
        ray.shutdown()


def _wake() -> None:
    """On a worker. It sleeps, so that the next call goes to another one."""
    import unlearning.shards.training  # noqa: F401

    time.sleep(2)
