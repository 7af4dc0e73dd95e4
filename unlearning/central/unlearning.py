"""How a model of one shard unlearns erased rows: E2URec, by the rows that wait sealed and those that are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from fedrec.data.dataset import TRAIN
from fedrec.ensemble import erasure_steps
from fedrec.errors import FedrecError
from fedrec.models.adapter import State
from unlearning.approximate.work import Unlearning
from unlearning.central.model import ShardedModel
from unlearning.methods import method_named
from unlearning.methods.approximate import FineTuning
from unlearning.shards.training import Forgotten

METHOD = "e2urec"
_PASSES = 6  # over the rows to be forgotten: the augmented teacher's, alone, and with as many others; teachers' answers


def cannot(model: ShardedModel) -> str:
    """Why nothing can be forgotten approximately in a model; empty where it can."""
    method, step = model.method, model.config.train.step
    if method.shards > 1:
        return f"a model of {method.shards} shards trains the touched ones again, of which each is a part"
    if method.slices > 1:
        return f"a shard of {method.slices} slices is trained again from the slice that had the rows"
    if step != "plain":
        return f"it was trained by {step} steps, and what these promise does not hold of an approximate answer"
    return ""


def share(model: ShardedModel, erased: int) -> float:
    """What unlearning so many rows reads, of what the training had read."""
    learned = int((model.interactions.split == TRAIN).sum()) * model.config.train.epochs
    return _PASSES * erased / max(learned, 1)


def work(model: ShardedModel, requests: Sequence[str], originals: Mapping[int, State]) -> list[Unlearning]:
    """What has each shard unlearn the erased rows of some requests.

    Raises:
        FedrecError: no row waits that one was taught by, or nobody is left.
    """
    approach, gone = cast(FineTuning, method_named(METHOD, 1)), erasure_steps.erased_lesson(model, requests)
    if not gone.windows:
        raise FedrecError("none of the erased rows was learned from one by one")
    jobs = [job for job in model.jobs() if job.shard in originals]
    if not all(job.windows for job in jobs):
        raise FedrecError("nobody is left to learn from")
    return [Unlearning(approach, model.training(job), Forgotten(originals[job.shard], gone)) for job in jobs]
