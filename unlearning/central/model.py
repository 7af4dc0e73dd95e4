"""A recommender that can forget: S shards over one base model, each of which learnt from its own rows alone.

    model = ShardedModel.create(folder, config, method, dataset)
    model.train(RayTasks(2))
    model.forget(Selection(users=("42",)))      # withdrawn at once, trained again without them, served again

Training and forgetting are one thing: a shard whose kept adapter was made from other rows than it should be made from
(`Job.digests` tells) is trained, any other is left alone. So whatever was interrupted is simply done again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.base_models.named import with_items_of
from fedrec.base_models.recorded import record_base
from fedrec.config import PinnedConfig, RunConfig
from fedrec.data.dataset import Dataset
from fedrec.data.selection import Selection
from fedrec.ensemble.aggregators.judged import no_validation_rows
from fedrec.ensemble.validation import Judgement
from fedrec.errors import UsageError
from fedrec.files import write_json
from fedrec.models.adapter import State, initial_state, state_hash
from fedrec.models.base import fingerprint, load_base
from fedrec.pinned import base_pin, with_pins
from fedrec.protocol.facts import digest
from fedrec.tasks import encoder_of
from fedrec.vault.vault import Vault
from unlearning.central.answering import AnsweringModel, judging
from unlearning.central.model_folder import METHOD, TABLE, VAULT
from unlearning.central.row_table import RowTable
from unlearning.compute.workers import InProcess, OnStep, Workers, silent
from unlearning.methods.method import Method
from unlearning.partition import Rows
from unlearning.partition.features import fill_vectors, partition_rows
from unlearning.shards.assignment import ShardAssignment, assign_shards
from unlearning.shards.files import ShardFiles
from unlearning.shards.training import Forgotten, Job, ShardTraining, make_jobs, slice_settings


@dataclass(frozen=True)
class TrainingCost:
    """Training that was done: the shards, rows processed, optimiser steps and seconds, all together.

    Attributes:
        seconds_teachers: the part of them that teachers of an approximate method took.
    """

    shards: tuple[int, ...]
    rows: int
    steps: int
    seconds: float
    seconds_teachers: float = 0.0


@dataclass(frozen=True)
class Deletion:
    """A deletion that is done.

    Attributes:
        rows: rows deleted.
        shards: shards that were withdrawn and trained again.
        withdrawn_seconds: from the call until nothing was served that saw the rows.
        seconds: from the call until all shards were back.
    """

    rows: int
    shards: tuple[int, ...]
    cost: TrainingCost
    withdrawn_seconds: float
    seconds: float


class ShardedModel(AnsweringModel):
    """A sharded model in a folder. One process at a time may change it; any number of threads may ask it."""

    @classmethod
    def create(
        cls,
        folder: Path,
        config: RunConfig,
        method: Method,
        dataset: Dataset,
        assignment: ShardAssignment | None = None,
        vectors: NDArray[np.float32] | None = None,
    ) -> ShardedModel:
        """A model of rows sorted into shards, untrained.

        Args:
            config: resolved, with a base.
            assignment: where the rows live; none = where the method's partitioner puts them.
            vectors: of the rows, where they are known (`fill_vectors`).

        Raises:
            UsageError: the configuration promises privacy, which these methods do not keep.
            FedrecError: there is no validation row, and the method judges its shards by such.
        """
        if config.privacy.active:
            raise UsageError(f"privacy.unit = {config.privacy.unit}: only fedrec simulate trains with noise")
        config = config.model_copy(update={"shards": method.shards})
        hardware.use_threads(config.train)
        rows = dataset.interactions
        if method.answers.judges and not judging(rows, method, config.seed).any():
            raise no_validation_rows()
        base = load_base(str(config.base), device=config.train.device, precision=config.train.precision)
        base = with_items_of(base, config, dataset.catalogue)
        if vectors is None:
            vectors = fill_vectors(base, encoder_of(config, dataset.catalogue, base), rows)
        if assignment is None:
            material = partition_rows(rows, vectors, dataset.catalogue, base, config)
            assignment = assign_shards(rows, material, method.partitioner, method.shards, method.slices, config.seed)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "catalogue.json", dataset.catalogue.content())
        Vault.create(folder / VAULT).import_rows(rows, dataset.catalogue)
        RowTable(rows, assignment, vectors).save(folder / TABLE, dataset.catalogue)
        pins = PinnedConfig(catalogue=digest(dataset.catalogue.content()), base=base_pin(record_base(folder, base)))
        config = with_pins(config, pins)
        write_json(folder / METHOD, {"run": config.model_dump(mode="json"), "method": method.model_dump()})
        return cls(folder)

    def features(self) -> Rows:
        """What the training rows are sorted by."""
        return partition_rows(self.interactions, self.table.vectors, self.catalogue, self.base, self.config)

    # training

    def train(
        self,
        workers: Workers | None = None,
        on_step: OnStep = silent,
        forgotten: Mapping[int, Forgotten] | None = None,
        but: Collection[int] = (),
    ) -> TrainingCost:
        """Train what is missing, judge it on the validation rows, and serve it.

        Args:
            forgotten: what shards are to forget, if the method can have them forget.
            but: shards that stay withdrawn.
        """
        began = time.perf_counter()
        jobs = {job.shard: job for job in self.jobs() if job.shard not in but}
        states: dict[int, State] = {}
        todo, rows, steps, teaching = [], 0, 0, 0.0
        for shard, job in jobs.items():
            kept, state = ShardFiles(self.folder, shard).agreeing(job.digests)
            if state is not None and kept == len(job.digests):
                states[shard] = state
            else:
                todo.append(self.method.work(self.training(job, kept, state), (forgotten or {}).get(shard)))
        shards = tuple(each.shard for each in todo)
        self.at_rest.note_use(shards)
        with (workers or InProcess()).crew(self.base, self.config.train) as crew:
            for done in crew.run(todo, on_step):
                ShardFiles(self.folder, done.shard).write(done.first, done.states, jobs[done.shard].told(done))
                states[done.shard] = done.states[-1]
                rows, steps, teaching = rows + done.rows, steps + done.steps, teaching + done.seconds_teachers
            judgement = self.judged_by(states, crew)
        self.serve(states, judgement)
        return TrainingCost(shards, rows, steps, time.perf_counter() - began, teaching)

    def jobs(self, assignment: ShardAssignment | None = None, slices: int | None = None) -> list[Job]:
        """What every shard should have learnt, by the rows that are there.

        Args:
            assignment: of these rows; where they live if None.
            slices: as the method has them if None.
        """
        return make_jobs(
            self.interactions,
            assignment or self.table.assignment,
            self.encoder,
            self.shards,
            slices or self.method.slices,
            self.config,
            self.origin,
        )

    def training(self, job: Job, first: int = 0, start: State | None = None) -> ShardTraining:
        """The training of a job from slice `first` on, from the adapter before it."""
        settings = slice_settings(self.config.train, self.method.slices)
        return ShardTraining(job, first, self.initial if start is None else start, self.config.lora, settings)

    @cached_property
    def initial(self) -> State:
        """What every shard starts from."""
        return initial_state(self.base.model, self.config.lora, self.config.seed)

    @cached_property
    def origin(self) -> str:
        """What every adapter was made from, besides rows: base model, LoRA, seed."""
        return f"{fingerprint(self.base.model)} {state_hash(self.initial)} {self.config.lora!r}"

    def serve(self, adapters: dict[int, State], judgement: Judgement, beside: Collection[int] = ()) -> None:
        """Answer by these adapters from now on; shards that have none are withdrawn, but for those of `beside`."""
        self.ensemble.serve(adapters, judgement, self.config.lora, self.base, beside)
        self.answers = self.answers_by(self.method)

    # deletion

    def withdraw(self, selection: Selection) -> tuple[int, ...]:
        """Stop serving every shard that saw the selected rows, and being judged by them; `erase`, and `train` restores.

        Returns:
            The shards withdrawn.

        Raises:
            UsageError: the selection is empty or names what is not there.
        """
        rows = self.interactions
        selection.check(rows, self.catalogue)
        gone = self._selected(selection)
        touched = self.learned(gone)
        answers = self.answers
        self.ensemble.withdraw(touched, [rows.user_ids[user] for user in np.unique(rows.user[gone])])
        self.answers = answers.without(touched, self._judged(self.method))
        return touched

    def erase(self, selection: Selection, request: str) -> int:
        """Delete the rows for good; how many they were. What learnt from them is withdrawn already."""
        deleted = self.vault.erase(selection, request).rows
        self.reload()
        return deleted

    def forget(self, selection: Selection, workers: Workers | None = None, on_step: OnStep = silent) -> Deletion:
        """Withdraw what saw the selected rows, delete them, train the touched shards again and serve them."""
        began = time.perf_counter()
        touched = self.withdraw(selection)
        withdrawn = time.perf_counter() - began
        self.answers = self.answers.learned_again()
        forgotten, gone = self.lessons(selection), self.interactions.take(self._selected(selection))
        people = self.interactions.user_ids
        deleted = self.erase(selection, uuid.uuid4().hex)
        forgotten = {shard: each.numbered(people, self.interactions.user_ids) for shard, each in forgotten.items()}
        cost = self.train(workers, on_step, forgotten)
        self.encoder = self.method.reading(self.encoder, gone, self.interactions, self.config.seed)
        return Deletion(deleted, touched, cost, withdrawn, time.perf_counter() - began)

    def lessons(self, selection: Selection) -> dict[int, Forgotten]:
        """What each trained shard is to forget, before the rows go, for a method that does not begin anew."""
        if not self.method.approximate:
            return {}
        gone = self.table.assignment.only(self._selected(selection))
        lessons = {job.shard: job.lessons[0] for job in self.jobs(gone, slices=1) if job.windows}
        states = {shard: ShardFiles(self.folder, shard).adapter() for shard in lessons}
        return {shard: Forgotten(state, lessons[shard]) for shard, state in states.items() if state is not None}

    def _selected(self, selection: Selection) -> NDArray[np.bool_]:
        """(n,) the rows that are to go."""
        return selection.mask(self.interactions, self.catalogue)
