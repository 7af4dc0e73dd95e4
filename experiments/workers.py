"""Ray on this machine with its workers running, as the benchmarks of shards start it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from unlearning.pool import Pool


@contextmanager
def started(workers: int) -> Iterator[Pool]:
    """A pool whose workers of one thread each have imported what they need, for as long as this block lasts."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or Ray warns; as `unlearning.pool` has it
    import ray

    ray.init(
        address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    try:
        remote = ray.remote(num_cpus=0)(_wake)
        ray.get([remote.remote() for _ in range(workers + 1)])  # one process more, for the board of their progress
        yield Pool(workers)
    finally:
        ray.shutdown()


def _wake() -> None:
    """On a worker. It sleeps, so that the next call goes to another one."""
    import unlearning.jobs  # noqa: F401

    time.sleep(2)
