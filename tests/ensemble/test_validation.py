"""Judging shards by validation rows: what was known before spares work, and changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from fedrec.config import RunConfig, load
from fedrec.data.dataset import Interactions
from fedrec.data.load import load_dataset
from fedrec.ensemble import validation
from fedrec.ensemble.validation import Judgement, judge
from fedrec.models.adapter import State, initial_state
from fedrec.models.base import Base, load_base
from fedrec.tasks.like import LikeEncoder
from tests.conftest import Settings

SHARDS = 3


class Court:
    """A data set, a base and an adapter a shard."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.config: RunConfig = load(overrides={**settings, "shards": SHARDS})
        dataset = load_dataset(self.config.data, 1)
        self.rows: Interactions = dataset.interactions
        self.base: Base = load_base(str(self.config.base), device="cpu", precision="fp32")
        self.encoder = LikeEncoder(self.base.tokenizer, dataset.catalogue.titles, self.config.prompt, self.base.context)
        self.adapters = {shard: self.adapter(shard) for shard in range(SHARDS)}

    def adapter(self, seed: int) -> State:
        state = initial_state(self.base.model, self.config.lora, seed)
        noise = torch.Generator().manual_seed(seed)
        return {name: tensor + 0.1 * torch.randn(tensor.shape, generator=noise) for name, tensor in state.items()}

    def judge(self, rows: Interactions, adapters: dict[int, State], before: Judgement | None = None) -> Judgement:
        wanted = np.arange(len(rows)) % 4 == 3
        return judge(self.base, self.config, self.encoder, rows, wanted, adapters, before)


@pytest.fixture(scope="module")
def court(small: Settings) -> Court:
    return Court(small())


def same(one: Judgement, other: Judgement) -> None:
    for name, array in vars(one.judged).items():
        np.testing.assert_array_equal(array, getattr(other.judged, name))
    assert (one.users, one.timelines, one.adapters) == (other.users, other.timelines, other.adapters)


def test_what_was_known_changes_nothing(court: Court) -> None:
    before = court.judge(court.rows, court.adapters)
    fewer = court.rows.take((court.rows.user != 3) & (court.rows.item != 5))  # a person, and a film in many histories
    one, moved = court.adapters[0], {0: court.adapters[1], 1: court.adapters[1], 2: court.adapters[0]}
    for adapters in (court.adapters, court.adapters | {1: court.adapter(9)}, {2: court.adapters[2]}, {1: one}, moved):
        for rows in (court.rows, fewer):
            same(court.judge(rows, adapters, before), court.judge(rows, adapters))


def test_only_what_is_new_is_computed(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    before = court.judge(court.rows, court.adapters)
    asked: list[int] = []
    real = validation.each_alone

    def counted(*args: Any) -> Any:
        pairs = list(args[-1])
        asked.extend(sum(len(window.rows) for window in windows) for _, windows in pairs)
        return real(*args[:-1], pairs)

    monkeypatch.setattr(validation, "each_alone", counted)
    court.judge(court.rows, court.adapters | {1: court.adapter(9)}, before)
    assert asked == [0, len(before.users), 0]
    asked.clear()
    court.judge(court.rows, dict.fromkeys(range(SHARDS), court.adapter(9)), before)
    assert asked == [len(before.users)]  # equal adapters are asked once


def test_nothing_of_a_person_who_goes_is_kept(court: Court) -> None:
    before = court.judge(court.rows, court.adapters)
    name = before.users[0]
    after = before.without([name])
    assert name not in after.users and len(after.judged.labels) == len(after.timelines) < len(before.users)
    assert not set(before.timelines[: before.users.count(name)]) & set(after.timelines)
