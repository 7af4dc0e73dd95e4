"""Shards on Ray of this machine, which is started once for them all: the same bytes, also where its processes die."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from experiments.processes import runs
from fedrec.data.selection import Selection
from tests.conftest import Settings
from tests.unlearning.models import Maker, same
from tests.unlearning.workflow.test_both_executors import trained_again_the_same
from unlearning.compute.ray_tasks import RayTasks

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("started")]
USER = Selection(users=("u07",))


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    """Ray, which `RayTasks` use where it runs; that they start it by themselves is in test_unlearn.py."""
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


def test_workers_on_ray_make_the_same_model(maker: Maker) -> None:
    """Also what judges the shards, which the workers share among them."""
    on_ray = maker.trained("hash+apa-nd", RayTasks(2), slices=2)
    same(on_ray, maker.trained("hash+apa-nd", slices=2))
    on_ray.forget(USER, RayTasks(2))
    same(on_ray, maker.trained("hash+apa-nd", slices=2, gone=USER))


def test_shards_are_trained_again_the_same_on_ray(tmp_path: Path, small: Settings) -> None:
    trained_again_the_same(tmp_path, small(train__epochs=1), RayTasks(2))


@pytest.mark.parametrize("process", ["_on_base", "Board"])
def test_a_process_of_ray_that_dies_is_replaced(tmp_path: Path, small: Settings, process: str) -> None:
    maker = Maker(tmp_path, small(train__epochs=60))  # long enough to be hit on a busy machine
    model = maker.create("strict-hash", shards=3)
    killed: list[int] = []

    def kill_one(*_: int) -> None:  # it waits: at the moment of a report a worker may stand between two shards
        end = time.monotonic() + 10
        while not killed and time.monotonic() < end:
            if workers := [p for p in psutil.Process().children(recursive=True) if runs(p, process)]:
                workers[0].kill()
                killed.append(workers[0].pid)

    model.train(RayTasks(2), kill_one)
    assert killed
    same(model, maker.trained("strict-hash", shards=3))
