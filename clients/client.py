"""What a client does with its own rows: count, train, publish and measure. Nothing here knows of Flower."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from clients.client_run import PUBLISHED, ClientRun
from clients.learner import Learner
from clients.lineage import teaches
from clients.own_items import own_items, stay
from clients.private_learning import agrees_to_privacy, epsilons
from fedrec import hardware
from fedrec.config import RunConfig, Sharing
from fedrec.console.progress import working
from fedrec.data.dataset import HISTORY, TEST, TRAIN, VALID, Catalogue, Interactions
from fedrec.data.evaluation_sample import evaluated, ranked_at_split
from fedrec.data.user_hash import drawn, numbered, shard_of
from fedrec.ensemble.aggregators import AGGREGATORS
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.at_split import scores_at_split
from fedrec.ensemble.evaluation import Evaluated, evaluate
from fedrec.ensemble.ranking import Ranking, best_unseen
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.serving import Ensemble
from fedrec.ensemble.validation import Judgement, judge, read_judgement
from fedrec.errors import FedrecError
from fedrec.files import replacing, storing
from fedrec.models.adapter import State
from fedrec.models.base import Base
from fedrec.privacy.disclosure import ScoredRows
from fedrec.protocol.adapters import Model, to_arrays
from fedrec.protocol.answers import InventoryAnswer, Measures, TrainAnswer
from fedrec.protocol.item_precision import without_known
from fedrec.protocol.item_rows import with_answers
from fedrec.protocol.layers import Ticket
from fedrec.strategies import strategy_of, tells_answers
from fedrec.strategies.strategy import Learnt
from fedrec.tasks import encoder_of, task_of
from fedrec.tasks.task import Encoder
from fedrec.training.lesson import Lesson, Validation
from fedrec.vault.vault import Vault


class Client:
    """One client in a run, on its own side."""

    def __init__(self, store: ClientRun) -> None:
        self.store, self.name = store, store.name

    @cached_property
    def config(self) -> RunConfig:
        config = self.store.config
        hardware.use_threads(config.train)
        return config

    @property
    def base(self) -> Base:
        return self.store.base

    @property
    def sharing(self) -> Sharing:
        """How much of its test rows' scores it may tell at most."""
        return self.store.home.policy.scores

    @cached_property
    def interactions(self) -> Interactions:
        return self.store.interactions()

    @cached_property
    def encoder(self) -> Encoder:
        return encoder_of(self.config, self.catalogue, self.base)

    @property
    def catalogue(self) -> Catalogue:
        return self.store.catalogue

    @property
    def vault(self) -> Vault:
        return self.store.vault

    @property
    def ensemble(self) -> Ensemble:
        return self.store.ensemble

    def learned(self, gone: NDArray[np.bool_]) -> tuple[int, ...]:
        """The shards whose training read one of these rows."""
        taught = np.unique(self.interactions.user[gone & teaches(self.interactions, self.config.train)])
        return tuple(map(int, np.unique(self.shard_of_users[taught])))

    def members(self, shards: Collection[int]) -> NDArray[np.bool_]:
        """(users,) who is in one of these shards."""
        return np.asarray(np.isin(self.shard_of_users, list(shards)), bool)

    def answers_of(self, adapters: Mapping[int, State], judged: Judged | None = None) -> ServedModel:
        """How these adapters answer together; without judged rows they count equally."""
        config = self.config
        if judged is None:
            config, judged = config.model_copy(update={"aggregator": "average-nd"}), Judged.nobody(config.shards)
        return ServedModel(self.base, config, self.encoder.readout, adapters, judged)

    def inventory(self) -> InventoryAnswer:
        """Counts only: users, and train rows of each shard."""
        rows, place = self.train_rows()
        counts = np.bincount(place[place >= 0], minlength=self.config.shards)
        return InventoryAnswer(client=self.name, users=len(rows.user_ids), examples=tuple(counts.tolist()))

    def train(self, number: int, model: Model, shards: Sequence[int], layers: Ticket | None = None) -> TrainAnswer:
        """Round `number` (from 1): the adapters of some shards learn from this client's rows of each.

        Args:
            model: the adapters to start from, one of each of those shards; none = those published last, of all shards.
            layers: how to reach who computes the middle of the model, where that is somebody else.
        """
        self.agrees()
        learner = Learner(self, number, tuple(shards), layers)
        received, own = model or self.published(number - 1), own_items(self, learner)
        if number == 1:
            self.store.check_first(received)
        learnt = strategy_of(self.config).train(learner, own.added(received, number - 1) if own else received)
        adapters = own.taken(learnt.model) if own else self.with_answers(learnt)
        losses = tuple(0.0 for _ in shards) if self.config.privacy.at_server else learnt.losses  # they have no noise
        told = {"loss": losses, "examples": learnt.rows, "epsilon": epsilons(self, shards)}
        return TrainAnswer(client=self.name, round=number, adapters=adapters, **told)

    def with_answers(self, learnt: Learnt) -> Model:
        """The trained adapters, with how much this client knows of each item, where rows are averaged by that."""
        if not tells_answers(self.config):
            return learnt.model
        return [
            with_answers(state, answers) if answers else state
            for state, answers in zip(learnt.model, learnt.answers, strict=True)
        ]

    def serve(self, number: int, model: Model, shards: Sequence[int]) -> None:
        """Serve the model of round `number`, which has these shards, or what the strategy serves in its place."""
        learner = Learner(self, number, tuple(shards))
        own = own_items(self, learner)
        bare = [without_known(state)[0] for state in model]
        served = strategy_of(self.config).served(learner, own.added(bare, number) if own else bare)
        with replacing(self.store.folder / PUBLISHED) as partial, storing(partial):
            save_file(to_arrays(model), partial, {"round": str(number)})
        adapters = dict(zip(shards, _tensors(served), strict=True))
        judgement = self.judged_by(adapters)
        self.ensemble.serve(adapters, judgement, self.config.lora, self.base)
        if self._weighs and not judgement.users and (self.interactions.split == TEST).any():
            raise FedrecError(
                f"client {self.name} has no validation rows to weigh the shards by: "
                "choose average-nd, or give data.split a validation part"
            )

    def with_own_items(self, model: Model, shards: Sequence[int]) -> Model:
        """Adapters of the last round with the item rows that stay here, where there are such."""
        last = self.config.federation.rounds
        own = own_items(self, Learner(self, last, tuple(shards)))
        return own.added(model, last) if own else model

    def judged_by(self, adapters: Mapping[int, State]) -> Judgement:
        """What weighs these adapters, by shard, against each other; what is known already is not computed again."""
        ensemble = self.ensemble
        before = read_judgement(ensemble.rehearsed_path) or read_judgement(ensemble.judged_path)
        with working(f"{self.name} takes its new model"):
            return judge(self.base, self.config, self.encoder, self.interactions, self._judging(), adapters, before)

    def measure(self, number: int, share: float) -> tuple[dict[str, Measures], ScoredRows]:
        """Score the test rows of a share of the people by the model that is served, that of round `number`; keep them.

        Returns:
            The metrics of each group of rows, and the scored rows.
        """
        rows = self.interactions
        wanted = evaluated(rows, share, self.config.seed)
        answers = self.ensemble.answers(self.config, self.base, self.encoder)
        with working(f"{self.name} scores its test rows"):
            scores = answers.scores(self.encoder.windows(rows, wanted), len(rows))[wanted]
            at_split = np.full(len(scores), np.nan)
            if ranked_at_split(self.config.evaluate, last=number == self.config.federation.rounds):
                at_split = scores_at_split(answers, self.encoder, rows, wanted)[wanted]
        answers.close()
        tested = rows.take(wanted)
        task = task_of(self.config)
        labels = task.labels(tested)
        group = np.zeros(len(tested), np.int32) if tested.client is None else tested.client
        self.ensemble.scores.keep(number, answers.shards, tested, self.catalogue, scores)
        people = numbered(rows.user_ids)[tested.user]
        scored = ScoredRows(scores, labels.astype(np.int8), people, at_split)
        metrics: dict[str, Measures] = {}
        for index, name in enumerate(rows.client_ids or (self.name,)):
            mine = group == index
            measured = task.measure(scores[mine], labels[mine], tested.user[mine], at_split[mine])
            metrics[name] = Measures(**measured, **task.spread(scored.take(mine)))
        return metrics, scored

    def evaluate(self, split: int) -> Evaluated:
        """All rows of a split, by the model that is served."""
        answers, shard = self.ensemble.answers(self.config, self.base, self.encoder), self.shard_of_users
        try:
            return evaluate(answers, self.encoder, task_of(self.config), self.interactions, split, self.name, shard)
        finally:
            answers.close()

    def recommend(self, user: str, top: int) -> Ranking:
        """The `top` unseen items of a user who has rows here, by falling score."""
        answers = self.ensemble.answers(self.config, self.base, self.encoder)
        try:
            return best_unseen(answers, self.encoder, self.catalogue, self.interactions, user, top)
        finally:
            answers.close()

    def agrees(self) -> None:
        """
        Raises:
            FedrecError: the client's policy does not allow the run's training.
        """
        strategy, allowed = self.config.strategy, self.store.home.policy.strategies
        agrees_to_privacy(self)
        if strategy not in allowed:
            raise FedrecError(
                f"client {self.name} takes no part in {strategy}: its client.toml allows {', '.join(allowed) or 'none'}"
            )

    @cached_property
    def shard_of_users(self) -> NDArray[np.int32]:
        """(users,) the shard of each user here."""
        return shard_of(self.interactions.user_ids, self.config)

    def train_rows(self) -> tuple[Interactions, NDArray[np.int32]]:
        """The rows to learn from and those that only stand in histories; the shard of each row, -1 for the latter."""
        rows = self.interactions.take(np.isin(self.interactions.split, (TRAIN, HISTORY)))
        place = self.shard_of_users[rows.user]
        return rows, np.where(rows.split == TRAIN, place, -1)

    def lessons(self, shards: Sequence[int], number: int, role: str = "") -> Iterator[Lesson]:
        """What an adapter of each shard learns in round `number`; `role` as `Learner.learn` has it."""
        config, (rows, place), before = self.config, self.train_rows(), int(self.titles_first)
        labels, prefix = task_of(config).labels(rows), f"{role}-" if role else ""
        for shard in shards:
            yield Lesson(
                self.encoder.windows(rows, place == shard),
                labels,
                rows.user,
                self.encoder.readout,
                (config.seed, prefix + self.name, shard, number),
                max(0, number - 1 - before),
                config.federation.rounds - before,
                self.validation(shard),
                clients=1 if role else self.averaged,
                shards=config.shards,
            )

    def note_use(self, shard: int, number: int) -> None:
        """Have the vault know the rows that round `number` of a shard reads, before it does."""
        rows = self.interactions
        used = rows.take(teaches(rows, self.config.train) & (self.shard_of_users == shard)[rows.user])
        self.store.home.record_use(self.store.id, shard, number, used, self.catalogue)

    def validation(self, shard: int) -> Validation:
        """What tells when an adapter of a shard was best: the validation rows of its people, unless nothing does."""
        if self.config.train.stop == "never":
            return Validation()
        rows = self.interactions.take(self.interactions.split != TEST)
        wanted = (rows.split == VALID) & (self.shard_of_users == shard)[rows.user]
        return Validation(self.encoder.windows(rows, wanted), task_of(self.config).labels(rows))

    def published(self, number: int) -> Model:
        """The model of a round as the server sent it; FedrecError where that is not the last one that it sent."""
        model = self.store.published(number)
        if model is None:
            raise FedrecError(f"client {self.name} does not hold the model of round {number}: send its adapters along")
        return model

    @property
    def averaged(self) -> int:
        """How many clients' item rows become one; 1 = nobody else's come to this client's."""
        config = self.config
        alone = stay(config) or not strategy_of(config).averages
        return 1 if alone else config.clients.count

    @property
    def titles_first(self) -> bool:
        """Whether the first round is of titles alone, for layers to learn from rows that everybody's answers are in."""
        items, rounds = self.config.items, self.config.federation.rounds
        return self.averaged > 1 and items.rank > 0 and items.average == "answers" and rounds > 1

    @property
    def _weighs(self) -> bool:
        return self.config.shards > 1 and AGGREGATORS[self.config.aggregator].judges

    def _judging(self) -> NDArray[np.bool_]:
        """The validation rows that weigh the shards' adapters, where there is something to be weighed."""
        config, rows = self.config, self.interactions
        if not self._weighs:
            return np.zeros(len(rows), bool)
        judging: NDArray[np.bool_] = drawn(rows, config.aggregation.validation, config.seed) & (rows.split == VALID)
        return judging


def _tensors(model: Model) -> list[dict[str, torch.Tensor]]:
    return [{name: torch.from_numpy(array) for name, array in state.items()} for state in model]
