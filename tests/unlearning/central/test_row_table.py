"""What is known of rows finds them again, also where two are alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.unlearning.models import Maker
from unlearning.central.row_table import RowTable


def test_rows_that_are_alike_keep_what_is_known_of_each(maker: Maker, tmp_path: Path) -> None:
    model = maker.create("strict-hash", shards=3)
    rows, catalogue = model.interactions, model.catalogue
    twice = rows.take(np.repeat(np.arange(len(rows)), 2))
    first = np.arange(len(twice)) % 2 == 0
    assignment = model.table.assignment.take(np.repeat(np.arange(len(rows)), 2))
    assignment = replace(assignment, shard=np.where(first, assignment.shard, 7).astype(np.int32))
    vectors = np.repeat(model.table.vectors, 2, axis=0)
    RowTable(twice, assignment, vectors).save(tmp_path / "table", catalogue)
    found = RowTable.load(tmp_path / "table", twice, catalogue)
    np.testing.assert_array_equal(found.assignment.shard, assignment.shard)
    np.testing.assert_array_equal(found.vectors, vectors)
