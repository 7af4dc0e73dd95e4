"""Methods of unlearning side by side: train, delete, and measure against retraining everything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.base_models.named import with_base, with_items_of
from fedrec.base_models.recorded import keep_base
from fedrec.data.dataset import TEST, TRAIN, Dataset
from fedrec.data.load import load_dataset
from fedrec.data.selection import Selection, row_keys
from fedrec.errors import UsageError
from fedrec.files import read_json, write_json
from fedrec.preparation import checked_base, facts_of
from fedrec.reporting.comparison_result import without_federation
from fedrec.tasks import encoder_of
from fedrec.tasks.like import Like
from unlearning.central.model import Deletion, ShardedModel, TrainingCost
from unlearning.central.model_folder import is_model
from unlearning.comparison.deleted_rows import DeletedRows
from unlearning.comparison.exactness import exactness
from unlearning.comparison.forgetting import ORIGINAL, RETRAINING, Forgetting
from unlearning.comparison.latency import FORMS, SHARDS, seconds_per_row
from unlearning.comparison.plan import PLAN, RESULT, Plan, Share
from unlearning.comparison.result_cache import ResultCache
from unlearning.compute.workers import OnStep, Workers, silent
from unlearning.methods.method import Method, Unit
from unlearning.partition import describe
from unlearning.partition.features import fill_vectors

_INFERENCE_WINDOWS = 48

Row = dict[str, Any]


class ComparisonListener:
    """Whom to tell what is going on; this one tells nobody."""

    def on_data(self, warnings: Sequence[str]) -> None:
        """Of the warnings of a seed's data."""

    def training(self, name: str, seed: int) -> AbstractContextManager[OnStep]:
        """Around a method, with what is called at the steps of its shards."""
        return nullcontext(silent)

    def on_row(self, row: Row) -> None:
        """Of a method that is done."""


def compare(
    folder: Path, plan: Plan, workers: Workers, listener: ComparisonListener, latency: bool = False
) -> dict[str, Any]:
    """The result, as `compare.json` in the folder holds it. What is finished there already is not done again.

    Args:
        latency: measure the time that an answer takes too, for several numbers of shards; it is in `inference`.

    Raises:
        UsageError: a method is unknown, or there is not so much to forget.
    """
    rows: list[Row] = []
    originals: list[Row] = []
    for seed in plan.seeds:
        bench = Bench(plan, seed)
        listener.on_data(bench.dataset.warnings)
        write_json(folder / PLAN, plan.model_dump(mode="json"))
        keep_base(folder, bench.base)
        with workers.crew(bench.base, bench.config.train) as crew:
            cache = ResultCache(crew)
            scatters = any(each.approximate for each in bench.methods)
            forgetting = Forgetting(folder, seed, bench.deleted, cache, scatters, plan.shadows)
            rows += _rows(folder, bench, cache, forgetting, listener)
            originals.append(forgetting.original())
    timed = folder / "inference.json"
    if latency and not timed.exists():
        write_json(timed, list(bench.timed()))
    result = {
        "data": bench.dataset.name,
        "base": bench.base.name,
        **facts_of(bench.dataset),
        "unit": plan.unit,
        "forget": len(bench.selection.users or bench.selection.rows),
        "forget_share": None if isinstance(plan.forget, int) else plan.forget,
        "requests": plan.requests,
        "seeds": list(plan.seeds),
        "shards": plan.shards,
        "slices": plan.slices,
        "methods": rows,
        "originals": [row for row in originals if row],
        "inference": read_json(timed) if timed.exists() else [],
        "config": without_federation(plan.config.model_dump(mode="json"), "shards", "seed"),
    }
    write_json(folder / RESULT, result)
    return result


def _rows(
    folder: Path, bench: Bench, cache: ResultCache, forgetting: Forgetting, listener: ComparisonListener
) -> list[Row]:
    """Those of one seed, retraining first; what stands in the folder already is not measured again."""
    rows: list[Row] = []
    for method in bench.methods:
        name = f"{bench.config.seed}-{method.name}"
        kept = folder / "rows" / f"{name}.json"
        if not kept.exists():
            with listener.training(method.name, bench.config.seed) as on_step:
                write_json(kept, bench.measure(method, folder / "models" / name, cache, forgetting, on_step))
        row = read_json(kept)
        rows.append(row | beside(row, rows[0] if rows else row) | forgetting.of(method.name))
        listener.on_row(rows[-1])
    return rows


class Bench:
    """One seed's data, what is to be forgotten of it, and the measuring of a method."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        config = plan.config.model_copy(update={"seed": seed})
        self.dataset = load_dataset(config.data, seed)
        named, base = checked_base(config, self.dataset)
        self.config = with_base(config, named, base)
        hardware.use_threads(self.config.train)
        self.base = with_items_of(base, config, self.dataset.catalogue)
        self.encoder = encoder_of(self.config, self.dataset.catalogue, self.base)
        self.vectors = fill_vectors(self.base, self.encoder, self.dataset.interactions)
        self.selection = draw(self.dataset, plan.unit, plan.forget, seed)
        self.requests = in_requests(self.selection, plan.requests)
        self.methods = [plan.method(name) for name in dict.fromkeys((RETRAINING, *plan.methods))]
        rows = self.dataset.interactions
        gone = self.selection.mask(rows, self.dataset.catalogue)
        self.deleted = DeletedRows(rows, gone, self.config)

    def measure(self, method: Method, folder: Path, cache: ResultCache, forgetting: Forgetting, on_step: OnStep) -> Row:
        """Train, delete, and what each was like; a model that was interrupted within its training is continued.

        Training that another method did already is not done again, but its rows, steps and seconds count.
        """
        model = self._model(method, folder)
        before = model.table
        gone = self.selection.mask(before.interactions, model.catalogue)
        trained = model.train(cache, on_step)
        training = trained.seconds + cache.spared()
        first = _measured(model, ~gone)
        if method.name == RETRAINING:
            forgetting.note(ORIGINAL, model)
        requests = self.requests if method.approximate else (self.selection,)
        deletion = in_all([model.forget(request, cache, on_step) for request in requests])
        deleting = deletion.seconds + cache.spared()
        forgetting.note(method.name, model)
        second = _measured(model, at_split=model.scores_at_split(last=True))
        shard = model.table.assignment.shard
        quality = describe(model.features(), shard[shard >= 0], method.shards)
        return {
            "name": method.name,
            "partition": method.partition,
            "aggregator": method.aggregator,
            "seed": self.config.seed,
            "shards": method.shards,
            "slices": method.slices,
            **{f"{key}_before": value for key, value in first.items()},
            **{f"{key}_after": value for key, value in second.items()},
            "rows_trained": trained.rows,
            "seconds_trained": training,
            "rows_processed": deletion.cost.rows,
            "steps": deletion.cost.steps,
            "seconds": deleting,
            "seconds_teachers": deletion.cost.seconds_teachers,
            "withdrawn_seconds": deletion.withdrawn_seconds,
            "shards_touched": len(deletion.shards),
            "exact": exactness(model, before, gone),
            **asdict(quality),
            "bytes": sum(path.stat().st_size for path in (folder / "shards").rglob("*.safetensors")),
        }

    def timed(self) -> Iterator[Row]:
        """Seconds per test row for several numbers of shards and ways of answering, beside one adapter."""
        rows = self.dataset.interactions
        windows = self.encoder.windows(rows, rows.split == TEST)[:_INFERENCE_WINDOWS]
        for shards, form in product(SHARDS, FORMS):
            seconds = seconds_per_row(self.base, self.config.lora, windows, self.encoder.readout, shards, form)
            yield {"shards": shards, "form": form, "seconds_per_row": seconds}

    def _model(self, method: Method, folder: Path) -> ShardedModel:
        if is_model(folder):
            model = ShardedModel(folder)
            if len(model.interactions) == len(self.dataset.interactions):
                return model
        shutil.rmtree(folder, ignore_errors=True)
        return ShardedModel.create(folder, self.config, method, self.dataset, vectors=self.vectors)


def beside(row: Row, retrained: Row) -> Row:
    """What a method's figures are next to those of retraining everything; None where no test row can be ranked."""
    after, reference = row["auc_after"], retrained["auc_after"]
    return {
        "retrain_auc": reference,
        "difference": None if after is None or reference is None else after - reference,
        "rows_full": retrained["rows_processed"],
        "steps_full": retrained["steps"],
        "seconds_full": retrained["seconds"],
    }


def draw(dataset: Dataset, unit: Unit, wanted: int | Share, seed: int) -> Selection:
    """So many users, or training rows, or that share of them, by the seed.

    Raises:
        UsageError: there are fewer, or none would be left.
    """
    rows = dataset.interactions
    teaching = np.flatnonzero(rows.split == TRAIN)
    users = np.unique(rows.user[teaching])
    there = users if unit == "user" else teaching
    count = wanted if isinstance(wanted, int) else max(1, round(float(wanted.rstrip("%")) / 100 * len(there)))
    if count >= len(there):
        raise UsageError(f"--forget {wanted}: there are {len(there)} {unit}s to learn from; forget fewer")
    chosen = np.random.default_rng(seed).choice(there, count, replace=False)
    if unit == "user":
        return Selection(users=tuple(sorted(rows.user_ids[user] for user in chosen)))
    return Selection(rows=tuple(sorted(row_keys(rows.take(np.sort(chosen)), dataset.catalogue))))


def in_requests(selection: Selection, count: int) -> tuple[Selection, ...]:
    """Its users or rows in so many requests of about equal size.

    Raises:
        UsageError: there are fewer of them.
    """
    named = selection.users or selection.rows
    if count > len(named):
        raise UsageError(f"--requests {count}: only {len(named)} to forget; forget more, or in fewer requests")
    parts = [tuple(part.tolist()) for part in np.array_split(np.array(named, dtype=object), count)]
    return tuple(Selection(users=part) if selection.users else Selection(rows=part) for part in parts)


def in_all(deletions: Sequence[Deletion]) -> Deletion:
    """One deletion after another, as one; nothing was served that saw its rows at most so long after a request."""
    costs = [each.cost for each in deletions]
    shards = tuple(sorted({shard for each in deletions for shard in each.shards}))
    rows, steps = sum(cost.rows for cost in costs), sum(cost.steps for cost in costs)
    seconds, teachers = sum(cost.seconds for cost in costs), sum(cost.seconds_teachers for cost in costs)
    return Deletion(
        rows=sum(each.rows for each in deletions),
        shards=shards,
        cost=TrainingCost(shards, rows, steps, seconds, teachers),
        withdrawn_seconds=max(each.withdrawn_seconds for each in deletions),
        seconds=sum(each.seconds for each in deletions),
    )


def _measured(
    model: ShardedModel, staying: NDArray[np.bool_] | None = None, at_split: NDArray[np.float64] | None = None
) -> Row:
    """Metrics on the test rows, or on those that stay; None for those of the page that the task does not have."""
    scores, test = model.test_scores()
    metrics = model.metrics(scores, test if staying is None else test & staying, at_split)
    return dict.fromkeys(Like.metrics) | {k: v for k, v in metrics.items() if k != "examples"}
