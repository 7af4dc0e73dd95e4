"""Processes that share cores."""

from __future__ import annotations

import os

import pytest

from fedrec.hardware import crowding, sleep_while_waiting


@pytest.mark.parametrize(("workers", "threads", "crowded"), [(2, 2, True), (2, 1, False), (1, 2, False), (8, 1, False)])
def test_more_threads_than_cores_are_told_and_sleep_while_they_wait(
    monkeypatch: pytest.MonkeyPatch, workers: int, threads: int, crowded: bool
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "environ", {})
    sleep_while_waiting(workers, threads)
    assert os.environ == ({"OMP_WAIT_POLICY": "PASSIVE"} if crowded else {})
    assert ("--set train.threads=1" in crowding(workers, threads)) == crowded
