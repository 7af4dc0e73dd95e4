"""Processes by the cores that threads leave."""

from __future__ import annotations

import pytest

from fedrec.config import TrainConfig
from fedrec.errors import UsageError
from fedrec.parallel.worker_count import crowding, parse_workers, processes_for


@pytest.mark.parametrize(
    ("cores", "threads", "pieces", "processes"),
    [(2, 1, 5, 2), (8, 1, 5, 5), (8, 3, 5, 2), (8, 8, 5, 0), (1, 1, 5, 0), (8, 1, 1, 0), (1, 4, 5, 0)],
)
def test_as_many_processes_as_there_are_cores_for_their_threads_and_work(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int, pieces: int, processes: int
) -> None:
    monkeypatch.setattr("fedrec.parallel.worker_count.cores", lambda: cores)
    config = TrainConfig(device="cpu", threads=threads)
    assert processes_for("auto", config, pieces) == processes
    assert [processes_for(count, config, pieces) for count in (0, 1, 3, 99)] == [0, 1, min(3, pieces), pieces]


def test_workers_are_a_number_or_auto() -> None:
    assert [parse_workers(text) for text in ("auto", "0", "12")] == ["auto", 0, 12]
    for wrong in ("-1", "two", "1.5", ""):
        with pytest.raises(UsageError, match=f"--workers {wrong}: write a number of processes"):
            parse_workers(wrong)


@pytest.mark.parametrize(("workers", "threads", "crowded"), [(2, 2, True), (2, 1, False), (1, 2, False), (8, 1, False)])
def test_more_threads_than_cores_are_told(
    monkeypatch: pytest.MonkeyPatch, workers: int, threads: int, crowded: bool
) -> None:
    monkeypatch.setattr("fedrec.parallel.worker_count.cores", lambda: 2)
    assert ("--set train.threads=1" in crowding(workers, threads)) == crowded
