"""A person's rows scored from the history at the split: as prompts by themselves, and whatever came in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedrec.base_models.named import with_items_of
from fedrec.config import load
from fedrec.data.dataset import TEST, VALID
from fedrec.data.load import load_dataset
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.at_split import scores_at_split
from fedrec.ensemble.served_model import ServedModel
from fedrec.models.adapter import State, state_shapes
from fedrec.models.base import load_base
from fedrec.scoring import prompt_windows
from fedrec.tasks import encoder_of
from tests.conftest import Settings
from tests.models.tiny import noise


class World:
    """A data set, and shards that answer together."""

    def __init__(self, given: dict[str, Any], shards: int) -> None:
        self.config = load(overrides={**given, "shards": max(1, shards)})
        dataset = load_dataset(self.config.data, 1)
        self.rows = dataset.interactions
        base = load_base(str(self.config.base), device="cpu", precision="fp32")
        self.base = with_items_of(base, self.config, dataset.catalogue)
        self.encoder = encoder_of(self.config, dataset.catalogue, self.base)
        adapters = {shard: self.adapter(shard) for shard in range(shards)}
        judged = Judged.nobody(max(1, shards))
        self.answers = ServedModel(self.base, self.config, self.encoder.readout, adapters, judged)

    def adapter(self, seed: int) -> State:
        shapes = state_shapes(self.base.model, self.config.lora)
        return noise(shapes, torch.Generator().manual_seed(seed), 0.3)

    def alone(self, row: int, first: int) -> float:
        """What is said of a row as one prompt, with its person's rows before `first`."""
        before = np.flatnonzero((self.rows.user == self.rows.user[row]) & (np.arange(len(self.rows)) < first))
        past = self.encoder.past_of(self.rows.item[before].tolist(), self.rows.label[before].tolist())
        prompt = prompt_windows(past, [self.encoder.question(int(self.rows.item[row]))])
        return float(self.answers.scores(prompt, 1)[0])


WORLDS = [(0, "average-nd"), (1, "average-nd"), (3, "average-nd"), (3, "average-d")]


@pytest.fixture(scope="module")
def world(small: Settings) -> Callable[..., World]:
    made: dict[Any, World] = {}

    def of(shards: int, aggregator: str, rank: int) -> World:
        key = (shards, aggregator, rank)
        if key not in made:
            made[key] = World(small(aggregator=aggregator, items__rank=rank, data__test_fraction=0.4), shards)
        return made[key]

    return of


@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize(("shards", "aggregator"), WORLDS)
def test_rows_score_as_prompts_by_themselves(
    world: Callable[..., World], shards: int, aggregator: str, rank: int
) -> None:
    here = world(shards, aggregator, rank)
    rows, test = here.rows, here.rows.split == TEST
    found = scores_at_split(here.answers, here.encoder, rows, test)
    known = np.flatnonzero(~np.isnan(found))
    assert len(known) > 20 and test[known].all()
    for row in known:
        first = np.flatnonzero(test & (rows.user == rows.user[row]))[0]
        assert found[row] == pytest.approx(here.alone(int(row), int(first)), abs=1e-4)  # adapters of noise are long
    assert found[known].std() > 1e-3


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_what_people_say_after_the_split_changes_nothing_but_who_is_ranked(
    world: Callable[..., World], seed: int
) -> None:
    here = world(1, "average-nd", 3)
    rows, test = here.rows, here.rows.split == TEST
    random = np.random.default_rng(seed)
    other = replace(rows, label=np.where(test, random.integers(0, 2, len(rows)), rows.label).astype(np.int8))
    one, two = (scores_at_split(here.answers, here.encoder, each, test) for each in (rows, other))
    both = ~np.isnan(one) & ~np.isnan(two)
    np.testing.assert_array_equal(one[both], two[both])
    for user in np.unique(rows.user[test]):
        mine = test & (rows.user == user)
        assert np.isnan(two[mine]).all() == (len(np.unique(other.label[mine])) == 1)


def test_nobody_else_s_rows_change_a_person_s_scores(world: Callable[..., World]) -> None:
    here = world(3, "average-nd", 3)
    rows, valid = here.rows, here.rows.split == VALID
    everybody = here.answers, here.encoder, rows, valid | (rows.split == TEST)
    some = rows.user % 3 == 0
    alone = scores_at_split(here.answers, here.encoder, rows.take(some), everybody[-1][some])
    np.testing.assert_array_equal(scores_at_split(*everybody)[some], alone)
