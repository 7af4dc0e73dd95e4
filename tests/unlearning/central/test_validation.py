"""Scoring in parts: nobody in two of them, and the same scores as in one."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from fedrec.data.dataset import VALID
from fedrec.ensemble.validation import read_judgement
from tests.unlearning.models import Maker
from unlearning.central.validation import Scoring, split_by_person
from unlearning.shards.files import ShardFiles


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_parts_together_are_the_whole(maker: Maker, count: int) -> None:
    model = maker.trained("hash+apa-nd", shards=2)
    rows = model.table.interactions
    windows = model.encoder.windows(rows, rows.split == VALID)
    parts = split_by_person(windows, rows.user, count)
    judgement, place = read_judgement(model.ensemble.judged_path), np.cumsum(rows.split == VALID) - 1
    users = [{rows.user[window.rows[0]] for window in part} for part in parts]
    people = len(set().union(*users))
    assert len(parts) == min(count, people) and sum(map(len, users)) == people
    assert sorted(map(id, chain(*parts))) == sorted(map(id, windows))
    assert max(map(len, users)) - min(map(len, users)) <= 1
    for shard in model.shards:
        state = ShardFiles(model.folder, shard).adapter()
        assert state is not None and judgement is not None
        for part in parts:
            answered, scores = Scoring(
                shard, state, part, rows.user, model.encoder.readout, model.config.lora, model.base.precision
            ).run(model.base.model, lambda *_: None)
            np.testing.assert_array_equal(scores, judgement.judged.scores[place[answered], shard])


def test_nothing_to_judge_has_no_parts() -> None:
    assert split_by_person([], np.zeros(0, np.int32), 2) == []
