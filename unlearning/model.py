"""A recommender that can forget: S shards over one base model, each of which learnt from its own rows alone.

    model = ShardedModel.create(folder, config, method, dataset)
    model.train(Pool(workers=2))
    model.forget(Selection(users=("42",)))      # withdrawn at once, trained again without them, served again

Training and forgetting are one thing: a shard whose kept adapter was made from other rows than it should be made from
(`Job.digests` tells) is trained, any other is left alone. So whatever was interrupted is simply done again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.config import RunConfig, parse
from fedrec.data.prompts import PromptEncoder
from fedrec.data.selection import Selection
from fedrec.data.shards import drawn
from fedrec.data.table import TEST, VALID, Catalogue, Dataset
from fedrec.ensemble.answers import Answers, Judged
from fedrec.files import read_json, write_json
from fedrec.models.adapter import initial_state, state_hash
from fedrec.models.base import Base, fingerprint, load_base
from fedrec.models.recorded import base_of, record_base
from fedrec.scoring import by_person
from unlearning.costs import Cost, Deletion
from unlearning.folder import read_manifest, shard_folder, write_manifest
from unlearning.jobs import Assignment, Forgotten, Job, agreeing, make_jobs, slice_settings
from unlearning.judging import Judging, shares
from unlearning.material import fill_vectors, partition_rows
from unlearning.methods import method_from
from unlearning.methods.method import Method
from unlearning.places import Places, place, shards_that_saw
from unlearning.pool import Crew, OnStep, Pool, Workers, silent
from unlearning.table import Table, load_table, save_table


class ShardedModel:
    """A sharded model in a folder. One process at a time may change it; any number of threads may ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        content = read_json(folder / "method.json")
        self.config: RunConfig = parse(content["run"])
        self.method = method_from(content["method"])
        items = read_json(folder / "catalogue.json")
        self.catalogue = Catalogue(tuple(items["ids"]), tuple(items["titles"]))
        self.table: Table = load_table(folder / "table.safetensors")
        hardware.use_threads(self.config.train)
        self.answers = self.answers_by(self.method)

    @classmethod
    def create(
        cls,
        folder: Path,
        config: RunConfig,
        method: Method,
        dataset: Dataset,
        places: Places | None = None,
        vectors: NDArray[np.float32] | None = None,
    ) -> ShardedModel:
        """A model of rows sorted into shards, untrained.

        Args:
            config: resolved, with a base.
            places: where the rows live; none = where the method's partitioner puts them.
            vectors: of the rows, where they are known (`fill_vectors`).
        """
        hardware.use_threads(config.train)
        rows = dataset.interactions
        base = load_base(str(config.base), device=config.train.device, precision=config.train.precision)
        if vectors is None:
            vectors = fill_vectors(base, _encoder(base, dataset.catalogue, config), rows)
        if places is None:
            material = partition_rows(rows, vectors, dataset.catalogue, base, config)
            places = place(rows, material, method.partitioner, method.shards, method.slices, config.seed)
        scores = np.full((len(rows), method.shards), np.nan)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "catalogue.json", dataset.catalogue.content())
        save_table(folder / "table.safetensors", Table(rows, places, vectors, scores, ("",) * method.shards))
        record_base(folder, base)
        write_json(folder / "method.json", {"run": config.model_dump(mode="json"), "method": method.model_dump()})
        return cls(folder)

    @cached_property
    def base(self) -> Base:
        return base_of(self.folder, self.config, self.catalogue)

    @cached_property
    def encoder(self) -> PromptEncoder:
        return _encoder(self.base, self.catalogue, self.config)

    @property
    def shards(self) -> range:
        return range(self.method.shards)

    # training

    def train(
        self, pool: Workers | None = None, on_step: OnStep = silent, forgotten: Mapping[int, Forgotten] | None = None
    ) -> Cost:
        """Train what is missing, judge it on the validation rows, and serve it.

        Args:
            forgotten: what shards are to forget, if the method can have them forget.
        """
        began = time.perf_counter()
        initial = initial_state(self.base.model, self.config.lora, self.config.seed)
        jobs = {job.shard: job for job in self.jobs()}
        settings = slice_settings(self.config.train, self.method.slices)
        todo = []
        for job in jobs.values():
            first = agreeing(shard_folder(self.folder, job.shard).digests, job.digests)
            if first < len(job.digests):
                start = shard_folder(self.folder, job.shard).adapter(first - 1) if first else initial
                assignment = Assignment(job, first, start, self.config.lora, settings)
                todo.append(self.method.work(assignment, (forgotten or {}).get(job.shard)))
        rows = steps = 0
        with (pool or Pool()).crew(self.base, self.config.train) as crew:
            for done in crew.run(todo, on_step):
                shard_folder(self.folder, done.shard).write(done.first, done.states, jobs[done.shard].told(done))
                rows += done.rows
                steps += done.steps
            self._judge(crew)
        write_manifest(self.folder, {shard: shard_folder(self.folder, shard).hash for shard in self.shards})
        self.answers = self.answers_by(self.method)
        return Cost(tuple(each.shard for each in todo), rows, steps, time.perf_counter() - began)

    def jobs(self) -> list[Job]:
        """What every shard should have learnt, by the rows that are there."""
        table = self.table
        return make_jobs(
            table.interactions, table.places, self.encoder, self.shards, self.method.slices, self.config, self.origin
        )

    @cached_property
    def origin(self) -> str:
        """What every adapter was made from, besides rows: base model, LoRA, seed."""
        initial = initial_state(self.base.model, self.config.lora, self.config.seed)
        return f"{fingerprint(self.base.model)} {state_hash(initial)} {self.config.lora!r}"

    # answers

    def scores(self, wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n,) like-probability of the wanted rows, each from its user's rows before it; NaN for other rows.

        A person's scores do not depend, not even in their last bits, on who else is there.
        """
        rows = self.table.interactions
        return self.answers.scores(self.encoder.windows(rows, wanted), len(rows), by_person(rows.user))

    def test_scores(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The scores of the test rows, (n,) NaN for others, and which rows they are."""
        wanted = self.table.interactions.split == TEST
        return self.scores(wanted), wanted

    # deletion

    def withdraw(self, selection: Selection) -> tuple[int, ...]:
        """Stop serving every shard that saw the selected rows, for good: `restore` brings back shards that did not.

        Returns:
            The shards withdrawn.

        Raises:
            UsageError: the selection is empty or names what is not there.
        """
        rows = self.table.interactions
        selection.check(rows, self.catalogue)
        write_json(self._pending, [each.model_dump() for each in (*self.pending, selection)])
        touched = shards_that_saw(rows, self.table.places, selection.mask(rows, self.catalogue))
        served = read_manifest(self.folder)
        write_manifest(self.folder, {shard: digest for shard, digest in served.items() if shard not in touched})
        self.answers = self.answers.without(touched)
        return touched

    def restore(self, pool: Workers | None = None, on_step: OnStep = silent) -> Cost:
        """Delete what is to be forgotten, and train and serve the shards that miss. Interrupted, it can be repeated."""
        rows = self.table.interactions
        gone = np.zeros(len(rows), bool)
        for selection in self.pending:
            gone |= selection.mask(rows, self.catalogue)
        forgotten = self._forgotten(gone)
        if gone.any():
            self.table = self.table.without(gone)
            save_table(self.folder / "table.safetensors", self.table)
        cost = self.train(pool, on_step, forgotten)
        self._pending.unlink(missing_ok=True)
        return cost

    def forget(self, selection: Selection, pool: Workers | None = None, on_step: OnStep = silent) -> Deletion:
        """Withdraw what saw the selected rows, delete them, train the touched shards again and serve them."""
        began = time.perf_counter()
        before = len(self.table.interactions)
        touched = self.withdraw(selection)
        withdrawn = time.perf_counter() - began
        self.answers = self.answers.learned_again()
        cost = self.restore(pool, on_step)
        deleted = before - len(self.table.interactions)
        return Deletion(deleted, touched, cost, withdrawn, time.perf_counter() - began)

    @property
    def pending(self) -> tuple[Selection, ...]:
        """What is withdrawn, but not deleted yet."""
        found = read_json(self._pending) if self._pending.exists() else []
        return tuple(map(Selection.model_validate, found))

    @property
    def _pending(self) -> Path:
        return self.folder / "pending.json"

    # within

    def _forgotten(self, gone: NDArray[np.bool_]) -> dict[int, Forgotten]:
        """What each trained shard is to forget, for a method that does not begin anew."""
        if not self.method.approximate:
            return {}
        table = self.table
        jobs = make_jobs(
            table.interactions, table.places.only(gone), self.encoder, self.shards, 1, self.config, self.origin
        )
        folders = {job.shard: shard_folder(self.folder, job.shard) for job in jobs if job.windows}
        lessons = {job.shard: job.tasks[0] for job in jobs}
        return {shard: Forgotten(each.adapter(), lessons[shard]) for shard, each in folders.items() if each.digests}

    def _judge(self, crew: Crew) -> None:
        """Score the validation rows by every shard's adapter that is not judged yet, and read vectors that miss."""
        table, encoder = self.table, self.encoder
        rows = table.interactions
        vectors = fill_vectors(self.base, encoder, rows, table.vectors)
        scores = table.scores.copy()
        hashes = tuple(shard_folder(self.folder, shard).hash for shard in self.shards)
        if self.method.answers.judges:
            scores[:, np.array(hashes) != table.judged] = np.nan
            missing = np.isnan(scores) & self._judging()[:, None]
            for shard in self.shards:
                for done in crew.run(self._judgings(shard, missing[:, shard], crew.width)):
                    scores[done.rows, shard] = done.scores
        self.table = Table(rows, table.places, vectors, scores, hashes)
        save_table(self.folder / "table.safetensors", self.table)

    def _judgings(self, shard: int, wanted: NDArray[np.bool_], parts: int) -> list[Judging]:
        """The judging of the wanted rows by a shard, in parts that can be done at the same time."""
        if not wanted.any():
            return []
        encoder, user = self.encoder, self.table.interactions.user
        state = shard_folder(self.folder, shard).adapter()
        return [
            Judging(shard, state, windows, user, encoder.template.answers, self.config.lora, self.base.precision)
            for windows in shares(encoder.windows(self.table.interactions, wanted), user, parts)
        ]

    def _judging(self) -> NDArray[np.bool_]:
        """(n,) the validation rows that judge the shards: those of a part of the users, by a keyed hash."""
        rows = self.table.interactions
        judging: NDArray[np.bool_] = drawn(rows, self.method.aggregation.validation, self.config.seed)
        judging &= rows.split == VALID
        return judging

    def answers_by(self, method: Method) -> Answers:
        """How the shards that are served would answer by another aggregator, or with other settings of it.

        One that judges them needs a model whose own aggregator does, so that there are judgements.
        """
        table = self.table
        judging = self._judging()
        centres = np.zeros((len(self.shards), table.vectors.shape[1]), np.float32)
        for shard in np.unique(table.places.shard[table.places.shard >= 0]):
            centres[shard] = table.vectors[table.places.shard == shard].mean(axis=0)
        judged = Judged(table.vectors[judging], table.interactions.label[judging], table.scores[judging], centres)
        adapters = {shard: shard_folder(self.folder, shard).adapter() for shard in read_manifest(self.folder)}
        return Answers(
            self.base, self.config.lora, self.encoder.template.answers, adapters, judged, method.aggregator,
            method.aggregation, self.config.seed,
        )  # fmt: skip


def _encoder(base: Base, catalogue: Catalogue, config: RunConfig) -> PromptEncoder:
    return PromptEncoder(base.tokenizer, catalogue.titles, config.prompt, base.context)
