"""How exact a deletion was, as found by comparing with a model that never had the rows.

    strict            the same rows without the deleted ones, sorted into shards anew, make the same shards
    given-partition   they make the same shards only in the assignment that was chosen when the deleted rows were there
    no                they do not: something of the deleted rows is left

Two shards are the same where everything that training depends on is (`Job.digests`); the tests show that equal digests
give equal bytes. Weights and answers follow from the shards and the rows that are left.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedrec.data.selection import without
from unlearning.central.model import ShardedModel
from unlearning.central.row_table import RowTable
from unlearning.shards.assignment import ShardAssignment, assign_shards
from unlearning.shards.files import ShardFiles

Exactness = Literal["strict", "given-partition", "no"]


def exactness(model: ShardedModel, before: RowTable, gone: NDArray[np.bool_]) -> Exactness:
    """
    Args:
        model: after the deletion.
        before: its table before.
        gone: (n,) the rows of `before` that were to go.
    """
    rows, kept, method = without(before.interactions, gone), model.interactions, model.method
    left = rows.user_ids == kept.user_ids and all(
        np.array_equal(getattr(rows, name), getattr(kept, name)) for name in ("user", "item", "label", "time", "split")
    )
    if not left:
        return "no"
    anew = assign_shards(
        kept, model.features(), method.partitioner, method.shards, method.slices, seed=model.config.seed
    )
    if _makes(model, anew):
        return "strict"
    return "given-partition" if _makes(model, before.assignment.take(~gone)) else "no"


def _makes(model: ShardedModel, assignment: ShardAssignment) -> bool:
    """Whether the rows that are left, so assigned, make the shards that are served."""
    served = model.ensemble.named()
    made = ((job, ShardFiles(model.folder, job.shard)) for job in model.jobs(assignment))
    return all(files.digests == job.digests and served.get(job.shard) == files.hashes[-1] for job, files in made)
