"""Shards side by side in processes: the same bytes, also where processes die."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from fedrec.config import TrainConfig
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from fedrec.models.base import load_base
from tests.unlearning.models import Maker, same
from unlearning.compute.processes import LocalProcesses

USER = Selection(users=("u07",))


@dataclass(frozen=True)
class Fragile:
    """Work whose process dies as long as there are files to remove."""

    shard: int
    lives: Path
    wrong: bool = False

    @property
    def key(self) -> int:
        return self.shard

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> tuple[int, int]:
        if self.wrong:
            raise ValueError("no rows")
        for life in sorted(self.lives.iterdir())[:1]:
            life.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        on_step(10, 10)
        return self.shard, sum(1 for _ in model.parameters())


def lives(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / str(number)).touch()
    return folder


SETTINGS = TrainConfig(threads=1, device="cpu", precision="fp32")


def test_work_whose_process_dies_is_begun_again_and_not_for_ever(tiny_base: Path, tmp_path: Path) -> None:
    base, none = load_base(str(tiny_base)), lives(tmp_path / "none", 0)
    told: list[tuple[int, int, int]] = []
    with LocalProcesses(2, 4).crew(base, SETTINGS) as crew:
        assert crew.width == 2
        work = [Fragile(0, none), Fragile(1, lives(tmp_path / "three", 3)), Fragile(2, none)]
        found = sorted(crew.run(work, lambda *said: told.append(said)))
        assert [shard for shard, _ in found] == [0, 1, 2]
        assert {count for _, count in found} == {sum(1 for _ in base.model.parameters())}
        assert sorted(told) == [(0, 10, 10), (1, 10, 10), (2, 10, 10)]
        with pytest.raises(FedrecError, match="was killed by signal 9"):
            list(crew.run([Fragile(0, lives(tmp_path / "many", 9))]))
        with pytest.raises(FedrecError, match="no rows"):
            list(crew.run([Fragile(0, none), Fragile(1, none, wrong=True)]))


@pytest.mark.slow
def test_shards_side_by_side_are_the_same_model(maker: Maker) -> None:
    """Also what judges the shards, which the processes share among them."""
    beside = maker.trained("hash+apa-nd", LocalProcesses(2, 4), slices=2)
    same(beside, maker.trained("hash+apa-nd", slices=2))
    beside.forget(USER, LocalProcesses(2, 4))
    same(beside, maker.trained("hash+apa-nd", slices=2, gone=USER))
