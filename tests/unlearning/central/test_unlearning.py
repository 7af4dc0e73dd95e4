"""What is to be unlearned, from the rows that wait sealed: as it would be from the rows themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedrec.data.selection import Selection
from fedrec.ensemble import erasure_steps
from fedrec.training.item_start import titles_told
from fedrec.training.step import Learning
from tests.conftest import Settings
from tests.unlearning.central.trained import trained
from unlearning.central.model import ShardedModel


@pytest.mark.parametrize("some", [{}, {"items": ("i3", "i4", "i5", "i6")}], ids=["a person", "a part"])
def test_erased_rows_are_the_lesson_that_they_were(
    tmp_path: Path, small: Settings, some: dict[str, tuple[str, ...]]
) -> None:
    model = ShardedModel(trained(tmp_path / "model", small(items__rank=2, train__epochs=1), shards=1))
    people = ("u07", "u11")
    selection = Selection(users=people, **some)
    gone = model.table.assignment.only(selection.mask(model.interactions, model.catalogue))
    (job,) = model.jobs(gone, slices=1)
    before, ids = job.lessons[0], model.interactions.user_ids
    for number, user in enumerate(people):
        erasure_steps.erase(model, Selection(users=(user,), **some), f"request-{number}")
        model.reload()
    after = erasure_steps.erased_lesson(model, ["request-0", "request-1"])
    assert [window.ids.tolist() for window in after.windows] == [window.ids.tolist() for window in before.windows]
    for one, other in zip(after.windows, before.windows, strict=True):
        assert (one.rows - one.first).tolist() == (other.rows - other.first).tolist()
        assert after.labels[one.rows].tolist() == before.labels[other.rows].tolist()
        (name,), (number,) = {ids[user] for user in before.users[other.rows]}, {*after.users[one.rows].tolist()}
        now = model.interactions.user_ids
        assert number == now.index(name) if some else (name not in now and number >= len(now))
    told, known = (
        titles_told(Learning(model.base.model, model.config.lora, model.initial, lesson, model.config.train))
        for lesson in (after, before)
    )
    assert told is not None and known is not None
    assert told[0].tolist() == known[0].tolist() and np.allclose(told[1].effect, known[1].effect)
