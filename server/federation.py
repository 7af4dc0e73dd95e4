"""The rounds of a federation, over any Flower Grid: ask, check, aggregate, publish, write down."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from flwr.serverapp import Grid

from fedrec.data.evaluation_sample import share_in_round
from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import ITEMS_A, Model, State, digest_of
from fedrec.protocol.answers import EvaluateAnswer, TrainAnswer
from fedrec.protocol.questions import Evaluate, Train, Unlearn
from fedrec.tasks import task_of
from server import results
from server.collection import Asking, Collector
from server.counted import counted, limits_of
from server.handshake import meet
from server.interval import auc_margin
from server.layers import Layers, layer_tickets
from server.lost_items import lost_items, without_items
from server.masked_round import MaskedRound
from server.releases import SPENT, Releases
from server.replies import Limits, check, same_reason
from server.reply_cache import ReplyCache
from server.round_record import among, mean_loss
from server.rounds import Entry, Rounds
from server.run import Run
from server.sampling import choose
from server.spent import spent

_EVALUATION = "evaluation: "


@dataclass
class Federation:
    """One run's rounds. State is in the run's folder: whatever is killed, the next start continues.

    Attributes:
        on_round: told of each finished round.
        held: the round whose model a client is known to hold.
        layers: gives clients access to the layer service while they train, where they need it.
    """

    grid: Grid
    run: Run
    on_round: Callable[[Entry], None] = lambda entry: None
    held: dict[str, int] = field(default_factory=dict)
    layers: Layers = layer_tickets

    def __post_init__(self) -> None:
        self.config, self.task = self.run.config, task_of(self.run.config)
        self.initial, self.shards = self.run.initial, range(self.config.shards)
        self.last = self.config.federation.rounds

    @cached_property
    def limits(self) -> Limits:
        """What no honest reply exceeds."""
        return limits_of(self.config, self.initial, len(self.run.catalogue) if ITEMS_A in self.initial else 0)

    def rounds(self) -> None:
        """All rounds that are not done yet."""
        self._meet()
        done, rounds, began = self.run.rounds.last(), self.run.rounds, time.monotonic()
        if done is None:
            start = [self.initial] * self.config.shards
            self._finish(Entry(round=0), dict.fromkeys(self.clients.nodes, start), self.shards, began)
        models = rounds.models(done or 0)
        for number in range((done or 0) + 1, self.last + 1):
            began = time.monotonic()
            question = Train(round=number, shards=tuple(self.shards))
            models, entry = self._train_round(question, models, rounds)
            self._finish(entry, models, self.shards, began)

    def retrain(self, shards: Sequence[int], begun: Rounds, on_round: Callable[[], None]) -> dict[str, Model]:
        """All rounds of some shards again from their start, without serving anything on the way.

        Args:
            begun: where finished rounds are kept, so that an interrupted retraining goes on. Answers of a round that
                was broken off are not: nobody can tell whether the clients gave them.
            on_round: called when a round is written there.

        Returns:
            Every client's adapters of those shards.
        """
        self._meet()
        begun.drop_unfinished()
        done = begun.last() or 0
        models = begun.models(done) if done else dict.fromkeys(self.clients.nodes, [self.initial] * len(shards))
        for number in range(done + 1, self.last + 1):
            began = time.monotonic()
            question = Train(round=number, shards=tuple(shards))
            models, entry = self._train_round(question, models, begun)
            _write(begun, models, entry, began)
            on_round()
        return models

    def unlearn(self, question: Unlearn, models: Mapping[str, Model], begun: Rounds) -> dict[str, Model]:
        """One round in which those who hold erased rows forget them, and the others train as in any; then as usual.

        Args:
            models: every client's, which learned from the rows.
            begun: where the round is kept, as its first.

        Raises:
            FedrecError: a client's answer does not count, and it might be one that has something to forget.
        """
        self._meet()
        began = time.monotonic()
        begun.drop_unfinished()
        mixed, entry = self._train_round(question, models, begun)
        if entry.dropped:
            raise FedrecError(f"client {entry.dropped[0].client}: {entry.dropped[0].reason}")
        _write(begun, mixed, replace(entry, round=1), began)
        return mixed

    def measure(self, number: int, models: Mapping[str, Model]) -> None:
        """Keep models that the clients serve already as those of round `number`, which was finished before."""
        self._meet()
        entry = self.run.rounds.entry(number)
        dropped = [each for each in entry.dropped if not each.reason.startswith(_EVALUATION)]
        self._finish(replace(entry, dropped=dropped), models, None, time.monotonic())

    def _train_round(
        self, question: Train | Unlearn, models: Mapping[str, Model], begun: Rounds
    ) -> tuple[dict[str, Model], Entry]:
        """Every client's next adapters of some shards, and what happened; of those that the budget has room for."""
        releases = Releases(self.run, begun, question.round, question.shards)
        if not (room := releases.affordable()):
            return dict(models), Entry(
                round=question.round, skipped=SPENT, epsilon=releases.spent(), clip=releases.told()
            )
        places = [question.shards.index(shard) for shard in room]
        asked = {client: [model[place] for place in places] for client, model in models.items()}
        trained = self._masked_round if self.config.federation.secure_aggregation else self._shards_round
        mixed, entry = trained(question.model_copy(update={"shards": tuple(room)}), asked, releases)
        new = {client: dict(zip(places, states, strict=True)) for client, states in mixed.items()}
        return {client: [*(dict(enumerate(model)) | new[client]).values()] for client, model in models.items()}, entry

    def _shards_round(
        self, question: Train | Unlearn, models: Mapping[str, Model], releases: Releases
    ) -> tuple[dict[str, Model], Entry]:
        number, shards = question.round, question.shards
        collector = Collector(self.clients, ReplyCache(releases.begun.unfinished(number)))
        asked, replies = self._train(question, models, collector)
        lost = lost_items(models, replies) if isinstance(question, Unlearn) else []
        participants = [reply.client for reply in replies]
        enough = max(1, self.config.federation.min_replies)
        mixed: dict[str, list[State]] = {client: [] for client in models}
        aggregation: dict[str, list[Any]] = {}
        skipped = None
        for position, shard in enumerate(shards):
            states = {client: model[position] for client, model in models.items()}
            found = counted(replies, position, states, self.config)
            trained = found.trained
            for client, reason in found.wild.items():
                collector.drop(client, (f"shard {shard}: " if self.config.shards > 1 else "") + reason)
            where = f" of shard {shard}" if len(shards) > 1 else ""
            if len(trained) < enough:
                skipped = f"{len(trained)} good replies, {enough} needed: the models{where} stay as they were"
            elif (aggregate := releases.aggregate(shard, trained, states, self.initial)) is None:
                skipped = SPENT
            else:
                states = aggregate.states
                for name, values in among(participants, [each.client for each in trained], aggregate.record).items():
                    aggregation.setdefault(name, []).append(values)
            for client, state in states.items():
                mixed[client].append(without_items(state, lost[position]) if lost else state)
        return dict(mixed), Entry(
            round=number,
            bytes_up=collector.up,
            bytes_down=collector.down,
            dropped=collector.dropped,
            asked=asked,
            participants=participants,
            train_loss={reply.client: mean_loss(reply) for reply in replies},
            epsilon=releases.spent() or spent(replies, shards),
            clip=releases.told(),
            skipped=skipped,
            aggregation=aggregation,
        )

    def _masked_round(
        self, question: Train | Unlearn, models: Mapping[str, Model], releases: Releases
    ) -> tuple[dict[str, Model], Entry]:
        collector = Collector(self.clients, ReplyCache(releases.begun.unfinished(question.round)))
        asked, needed, sent = self._asked(question)
        made, entry = MaskedRound(collector, question, {name: models[name] for name in asked}, sent, needed).run()
        if not entry.participants:
            self._same_fault(question.round, asked, collector)
        return dict(models) if made is None else dict.fromkeys(models, made), entry

    def _train(
        self, question: Train | Unlearn, models: Mapping[str, Model], collector: Collector
    ) -> tuple[list[str], list[TrainAnswer]]:
        """Who is asked in a round, and the good replies, sorted by client."""
        federation, number, shards = self.config.federation, question.round, question.shards
        asked, needed, sent = self._asked(question)
        good: dict[str, TrainAnswer] = {}

        def take(client: str, reply: TrainAnswer) -> None:
            announced = [self.clients.announced[client][shard] for shard in shards]
            good[client] = check(
                reply, client=client, round=number, expected=self.initial, announced=announced, limits=self.limits
            )

        with self.layers(self.run, asked) as tickets:
            alone = {client: {"layers": ticket} for client, ticket in tickets.items()}
            asking = Asking(question, {client: models[client] for client in asked}, sent, needed, alone=alone)
            late = collector.collect(asking, TrainAnswer, take)
        for client in late if len(good) < needed else ():
            collector.drop(client, f"no reply in {federation.deadline:g} s")
        if not good:
            self._same_fault(number, asked, collector)
        return asked, [good[client] for client in sorted(good)]

    def _asked(self, question: Train | Unlearn) -> tuple[list[str], int, set[str]]:
        """Who is asked in a round, how many good replies it waits for, and who has to be sent the adapters."""
        federation = self.config.federation
        asked, needed = choose(
            self.clients.nodes, federation.fraction, federation.oversample, self.config.seed, question.round,
            federation.min_replies,
        )  # fmt: skip
        if isinstance(question, Unlearn):  # whoever has something to forget is among all of them
            asked, needed = sorted(self.clients.nodes), len(self.clients.nodes)
        whole = len(question.shards) == self.config.shards and isinstance(question, Train)
        return asked, needed, {name for name in asked if not whole or self.held.get(name) != question.round - 1}

    def _finish(self, entry: Entry, models: Mapping[str, Model], shards: Sequence[int] | None, began: float) -> None:
        """Publish these shards of each client's model, have them measured, and write the round down.

        Args:
            shards: None where the clients serve them already.
        """
        number, nodes = entry.round, self.clients.nodes
        share = share_in_round(number, self.last, self.run.reference.measured, self.config.evaluate)
        measured: dict[str, dict[str, float]] = {}
        answers: dict[str, EvaluateAnswer] = {}

        def take(client: str, answer: EvaluateAnswer) -> None:
            measured.update(results.checked(answer, number, self.groups(client), self.task))
            answers[client] = answer
            self.held[client] = number

        whole = {client: models[client] for client in nodes}
        sharing = self.config.evaluate.sharing
        question = Evaluate(round=number, shards=tuple(shards or ()), share=share, sharing=sharing)
        asking = Asking(question, whole, () if shards is None else whole, len(nodes), _EVALUATION)
        cache = ReplyCache(self.run.rounds.unfinished(number))
        collector = Collector(self.clients, cache, entry.bytes_up, entry.bytes_down, [*entry.dropped])
        for client in collector.collect(asking, EvaluateAnswer, take):
            collector.drop(client, f"{_EVALUATION}no reply")
        if not measured:
            self._same_fault(number, nodes, collector)
        clients = [{"id": group, **measured[group]} for group in sorted(measured)]
        everyone = answers if answers.keys() == whole.keys() else {}
        overall = results.overall(everyone, clients, self.task)
        if number == self.last:
            overall |= auc_margin(collector, number, {name: answer.scores for name, answer in everyone.items()})
        entry = replace(
            entry,
            bytes_up=collector.up,
            bytes_down=collector.down,
            dropped=collector.dropped,
            share=share,
            clients=clients,
            overall=overall,
            adapter_hash=results.hash_of({client: answer.served for client, answer in answers.items()}),
            seconds=time.monotonic() - began if entry.seconds is None else entry.seconds,
        )
        self.run.rounds.write(models, entry)
        self.on_round(entry)

    def _same_fault(self, number: int, asked: Collection[str], collector: Collector) -> None:
        """FedrecError where all who were asked failed for one reason: that is no fault of a client's own."""
        fault = same_reason(collector.dropped, asked)
        if fault is not None and (len(asked) > 1 or len(self.clients.nodes) == 1):
            folder = self.run.main.folder
            raise FedrecError(
                f"round {number}: every client fails ({fault}); mend that and go on, "
                f"{command('simulate --resume', folder)} or {command('forget run --run', folder)}, or start again with "
                "other settings"
            )

    def groups(self, client: str) -> list[str]:
        """The groups of rows a client may speak for: its own, or everybody's where it holds them."""
        return [fact.id for fact in self.run.reference.clients] if self.run.pools else [client]

    def _meet(self) -> None:
        self.clients = meet(self.grid, self.run)


def _write(begun: Rounds, models: Mapping[str, Model], entry: Entry, began: float) -> None:
    """Keep a round that nothing is served of."""
    hashes = {client: [digest_of(state) for state in model] for client, model in models.items()}
    begun.write(models, replace(entry, hashes=hashes, seconds=time.monotonic() - began))
