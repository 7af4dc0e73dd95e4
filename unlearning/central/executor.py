"""Erasure in a sharded model that is trained in one place: its rows are in one vault, and its shards are trained anew.

A model knows of each kept adapter what it was made from (`Job.digests`). So whatever was put back as it was before is
not believed: with the rows that are to be there it is made from others, and is trained again.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from fedrec.console.progress import say as to_stderr
from fedrec.data.selection import Selection
from fedrec.ensemble import erasure_steps
from fedrec.errors import FedrecError
from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.protocol.adapters import Model
from fedrec.text import amount
from unlearning.central import unlearning
from unlearning.central.evaluation import measure
from unlearning.central.freshness import behind, check_behind
from unlearning.central.model import ShardedModel
from unlearning.central.model_folder import CENTRAL, ModelFolder
from unlearning.certificates.bundle import Round
from unlearning.compute.workers import Workers
from unlearning.executor import Cost, Located, OnRound, Rehearsal, Retrained, Say, silent
from unlearning.requests.ledger import Ledger
from unlearning.requests.states import State as RequestState
from unlearning.shards.files import ShardFiles
from unlearning.way import UNLEARNED
from unlearning.workflow.newest_erasure import differ, published

_METHOD = "sharded-retraining"
_UNSEEN = 1000  # rows never learnt from that erased ones are held against: many times a person's


class CentralExecutor:
    """The executor of one model: what each step does is said at `Executor`."""

    def __init__(self, model: ShardedModel, workers: Workers, ledger: Ledger) -> None:
        """
        Args:
            ledger: what remembers the vault's erasures.
        """
        self._model, self._workers, self.ledger = model, workers, ledger
        self.model: ModelFolder = model.at_rest
        self.baselines: list[str] = []

    def check_current(self) -> None:
        check_behind(self.model, self.ledger)

    def catch_up(self, say: Say = to_stderr) -> None:
        model, at_rest, ledger = self._model, self.model, self.ledger
        why, chain = behind(at_rest, ledger), ledger.chain(CENTRAL)
        rows = 0
        if why:
            model.ensemble.withdraw_all(model.method.shards)
            rows = model.vault.repeat(chain)
            erasure_steps.forget_made(model)
            closed = {request.id for request in ledger.list(RequestState.CLOSED)}
            erasure_steps.discard_held(model, [link.request for link in chain if link.request in closed])
            model.reload()
        newest, out = published(at_rest, ledger), ledger.shards_out()
        stale = differ(newest, {CENTRAL: at_rest.kept()}) if chain else {}
        for shard, request in stale.items():
            if why := newest[shard].gone:
                raise FedrecError(f"{at_rest.folder}: shard {shard} is of before it: {why}; restore it as it was after")
            say(f"shard {shard} is of before erasure {request}, as if it had been put back: trained again")
            shutil.rmtree(ShardFiles(at_rest.folder, shard).path)
        lacks = {*model.shards} - out - model.ensemble.named().keys()
        if why or stale or (chain and lacks):
            model.train(self._workers, but=out)
            measure(model)
        for shard, request in differ(newest, {CENTRAL: at_rest.kept()}).items():
            model.ensemble.withdraw([shard], [])
            raise FedrecError(
                f"{at_rest.folder}: shard {shard} is of before erasure {request}, and training it again does not give"
                " what the certificate names, as on another machine; restore it as it was after that"
            )
        if why:
            ledger.note_repeated(rows)
            put_back = f"{at_rest.called} {why}, as if an old copy had been put back"
            say(f"{put_back}: {amount(rows, 'row')} erased again, and served anew")

    def locate(self, selection: Selection, client: str | None = None) -> Located:
        if client not in (None, CENTRAL):
            raise FedrecError(f"client {client}: not in {self.model.called}, which has {CENTRAL}")
        held, changed = erasure_steps.locate(self._model, selection), self.model.changed_shards()
        served = self._model.ensemble.hashes()
        return Located(
            rows={CENTRAL: held.rows} if held.rows else {},
            shards=tuple(sorted({*held.shards, *changed.get(CENTRAL, ())})),
            changed=changed,
            left={CENTRAL: held.left},
            titles=self.model.titles_of_only(selection) if held.rows else None,
            data={CENTRAL: self._model.vault.manifest().digest or ""},
            adapters={CENTRAL: [served.get(shard, "") for shard in self._model.shards]},
            erasures=self.ledger.chain_ends(),
        )

    def cost(self, shards: Sequence[int]) -> Cost:
        """Estimated from the training as it went: what the shards are of all shards."""
        seconds = self.model.result["seconds"] * len(shards) / self._model.method.shards
        return Cost([CENTRAL] if shards else [], self.model.rounds if shards else 0, seconds)

    def withdraw(self, selection: Selection, client: str | None, shards: Collection[int]) -> list[str]:
        erasure_steps.withdraw(self._model, selection, shards)
        return []

    def erase(self, selection: Selection, client: str | None, request: str) -> dict[str, int]:
        rows = erasure_steps.erase(self._model, selection, request)
        self._model.reload()
        behind(self.model, self.ledger)
        return {CENTRAL: rows}

    def retrain(self, shards: Sequence[int], folder: Path, on_round: OnRound = silent) -> dict[str, Model]:
        for shard in {*self._model.shards} - self._model.ensemble.named().keys():
            shutil.rmtree(ShardFiles(self.model.folder, shard).path, ignore_errors=True)  # it had learned from the rows
        jobs = {job.shard: job for job in self._model.jobs() if job.shard in shards}
        done = {shard: ShardFiles(folder, shard).agreeing(job.digests)[0] for shard, job in jobs.items()}
        todo = [self._model.training(job) for shard, job in jobs.items() if done[shard] < len(job.digests)]
        self.model.note_use(shards)
        with self._workers.crew(self._model.base, self._model.config.train) as crew:
            for trained in crew.run(todo):
                ShardFiles(folder, trained.shard).write(0, trained.states, jobs[trained.shard].digests)
                on_round()
        return self.retrained(shards, folder).adapters

    def retrained(self, shards: Sequence[int], folder: Path) -> Retrained:
        """What is in the folder; every slice of a shard counts as a round of it."""
        return self._kept(_METHOD, shards, folder)

    def unlearning(self, located: Located) -> Cost:
        """Estimated from the training as it went: what the passes of E2URec read, of what that had read."""
        if why := unlearning.cannot(self._model):
            raise FedrecError(why)
        seconds = self.model.result["seconds"] * unlearning.share(self._model, located.rows.get(CENTRAL, 0))
        return Cost([CENTRAL], 1, seconds)

    def originals(self, shards: Sequence[int]) -> dict[str, Model]:
        return {CENTRAL: [to_arrays(_whole(ShardFiles(self.model.folder, shard))) for shard in shards]}

    def unlearn(
        self, requests: Sequence[str], shards: Sequence[int], folder: Path, on_round: OnRound = silent
    ) -> dict[str, Model]:
        originals = self._states(shards, self.originals(shards))
        work = unlearning.work(self._model, requests, originals)
        jobs = {job.shard: job for job in self._model.jobs()}
        self.model.note_use(shards)
        with self._workers.crew(self._model.base, self._model.config.train) as crew:
            for trained in crew.run(work):
                ShardFiles(folder, trained.shard).write(0, trained.states, jobs[trained.shard].told(trained))
                on_round()
        return self.unlearned(shards, folder).adapters

    def unlearned(self, shards: Sequence[int], folder: Path) -> Retrained:
        return self._kept(f"{UNLEARNED}{unlearning.METHOD}", shards, folder)

    def _kept(self, method: str, shards: Sequence[int], folder: Path) -> Retrained:
        kept, seed = [ShardFiles(folder, shard) for shard in shards], self._model.config.seed
        participation = [
            Round(shard=each.shard, round=number, seed=seed, models={CENTRAL: digest})
            for each in kept
            for number, digest in enumerate(each.hashes, 1)
        ]
        if not kept or not all(each.hashes for each in kept):
            return Retrained(method, {}, 0, participation)
        models = [to_arrays(_whole(each)) for each in kept]
        return Retrained(method, {CENTRAL: models}, len(kept[0].hashes), participation)

    def rehearse(self, requests: Sequence[str], shards: Sequence[int], models: Mapping[str, Model]) -> Rehearsal:
        found = erasure_steps.rehearse(self._model, requests, self._states(shards, models), _UNSEEN)
        ranked = not np.isnan(found.after - found.before)
        utility = (found.before, found.after, found.liked, found.disliked) if ranked else None
        return Rehearsal(list(found.forgotten), list(found.unseen), utility)

    def discard_erased(self, requests: Sequence[str]) -> None:
        erasure_steps.discard_held(self._model, requests)

    def serve(self, shards: Sequence[int], models: Mapping[str, Model], withdrawn: Collection[int] = ()) -> None:
        states = self._states(shards, models)
        erasure_steps.serve(self._model, {shard: state for shard, state in states.items() if shard not in withdrawn})

    def measure(self, shards: Sequence[int], models: Mapping[str, Model], folder: Path) -> None:
        """Keep what is served as the model's, and write its result anew."""
        for shard in shards:
            again = ShardFiles(folder, shard)
            states = [_whole(again, number) for number in range(len(again.hashes))]
            ShardFiles(self.model.folder, shard).write(0, states, again.digests)
        measure(self._model)

    def _states(self, shards: Sequence[int], models: Mapping[str, Model]) -> dict[int, State]:
        return {shard: to_state(model) for shard, model in zip(shards, models.get(CENTRAL, ()), strict=True)}


def _whole(folder: ShardFiles, slice_: int = -1) -> State:
    state = folder.adapter(slice_)
    if state is None:
        raise FedrecError(f"{folder.path}: its content has changed; remove it and train again")
    return state
