"""The rounds of a federation, over any Flower Grid: ask, check, aggregate, publish, write down."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid

from fedrec.data.evaluation_sample import share_in_round
from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import Model, State, digest_of, size_of, to_arrays
from fedrec.protocol.answers import EvaluateAnswer, TrainAnswer
from fedrec.protocol.questions import Evaluate, Train
from fedrec.protocol.record import BadMessage
from fedrec.strategies import balance, strategy_of
from fedrec.strategies.strategy import Trained
from fedrec.tasks import task_of
from server import results
from server.calls import Answered, ask, call, content_of
from server.handshake import meet
from server.replies import Limits, check, check_together, same_reason
from server.reply_cache import Asking, Kept, Known
from server.rounds import Rounds
from server.run import Run
from server.sampling import choose

Entry = dict[str, Any]

_EVALUATION = "evaluation: "
_MANY = 100  # clients


class Federation:
    """One run's rounds. State is in the run's folder: whatever is killed, the next start continues."""

    def __init__(self, grid: Grid, run: Run, on_round: Callable[[Entry], None] = lambda entry: None) -> None:
        """
        Args:
            on_round: told of each finished round.
        """
        self.grid, self.run, self.initial, self.on_round = grid, run, run.initial, on_round
        self.config, self.strategy, self.task = run.config, strategy_of(run.config), task_of(run.config)
        self.shards = range(run.config.shards)
        self.held: dict[str, int] = {}  # the round whose model a client is known to hold
        size = size_of(to_arrays([self.initial] * self.config.shards))
        self.limits = Limits(
            max_abs=self.config.federation.max_abs, max_bytes=2 * size
        )  # a wrong shape is named, a flood is not even read

    def rounds(self) -> None:
        """All rounds that are not done yet."""
        self._meet()
        last = self.run.rounds.last()
        if last is None:
            start = [self.initial] * self.config.shards
            self._finish(0, dict.fromkeys(self.nodes, start), self.shards, {}, time.monotonic())
            last = 0
        models = self.run.rounds.models(last)
        for number in range(last + 1, self.config.federation.rounds + 1):
            models = self._round(number, models)

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
        last = begun.last() or 0
        models = begun.models(last) if last else dict.fromkeys(self.nodes, [self.initial] * len(shards))
        for number in range(last + 1, self.config.federation.rounds + 1):
            began = time.monotonic()
            models, entry = self._train_round(number, models, shards, Kept(begun.unfinished(number)))
            entry["hashes"] = {client: [digest_of(state) for state in model] for client, model in models.items()}
            begun.write(number, models, {"round": number, **entry, "seconds": time.monotonic() - began})
            on_round()
        return models

    def measure(self, number: int, models: Mapping[str, Model]) -> None:
        """Keep models that the clients serve already as those of round `number`, which was finished before."""
        self._meet()
        entry = self.run.rounds.entry(number)
        entry["dropped"] = [each for each in entry["dropped"] if not each["reason"].startswith(_EVALUATION)]
        self._finish(number, models, None, entry, time.monotonic())

    def _round(self, number: int, models: Mapping[str, Model]) -> dict[str, Model]:
        began = time.monotonic()
        kept = Kept(self.run.rounds.unfinished(number))
        mixed, entry = self._train_round(number, models, self.shards, kept)
        self._finish(number, mixed, self.shards, entry, began)
        return mixed

    def _train_round(
        self, number: int, models: Mapping[str, Model], shards: Sequence[int], kept: Kept
    ) -> tuple[dict[str, Model], Entry]:
        """Every client's next adapters of some shards, and what happened."""
        replies, entry = self._train(number, models, shards, kept)
        enough = max(1, self.config.federation.min_replies)
        mixed: dict[str, list[State]] = {client: [] for client in models}
        for position, shard in enumerate(shards):
            states = {client: model[position] for client, model in models.items()}
            trained = self._trained(replies, position, states, entry, shard)
            record: dict[str, Any] = {}
            if len(trained) < enough:
                where = f" of shard {shard}" if len(shards) > 1 else ""
                entry["skipped"] = f"{len(trained)} good replies, {enough} needed: the models{where} stay as they were"
            else:
                aggregate = self.strategy.aggregate(trained, states, self.initial, number)
                states = aggregate.states
                record = _among(entry["participants"], [each.client for each in trained], aggregate.record)
            for name, values in record.items():
                entry.setdefault(name, []).append(values)
            for client, state in states.items():
                mixed[client].append(state)
        return dict(mixed), entry

    def _trained(
        self, replies: Sequence[TrainAnswer], position: int, states: Mapping[str, State], entry: Entry, shard: int
    ) -> list[Trained]:
        """The replies that count in one shard: in proportion to each other."""
        lengths = {
            reply.client: float(
                np.linalg.norm(balance.flatten(reply.adapters[position]) - balance.flatten(states[reply.client]))
            )
            for reply in replies
        }
        wild = check_together(lengths, self.config.federation.max_update_ratio)
        for client, reason in wild.items():
            where = f"shard {shard}: " if self.config.shards > 1 else ""
            entry["dropped"].append({"client": client, "reason": where + reason})
        return [
            Trained(reply.client, reply.adapters[position], reply.loss[position], reply.examples[position])
            for reply in replies
            if reply.client not in wild
        ]

    def _train(
        self, number: int, models: Mapping[str, Model], shards: Sequence[int], kept: Kept
    ) -> tuple[list[TrainAnswer], Entry]:
        """The good replies of a round, sorted by client, and what happened."""
        federation = self.config.federation
        asked, needed = choose(
            self.nodes, federation.fraction, federation.oversample, self.config.seed, number, federation.min_replies
        )
        entry: Entry = {"asked": asked, "dropped": [], "bytes_up": 0, "bytes_down": 0}
        good: dict[str, TrainAnswer] = {}

        def take(client: str, reply: TrainAnswer) -> None:
            announced = [self.announced[client][shard] for shard in shards]
            check(reply, client=client, round=number, expected=self.initial, announced=announced, limits=self.limits)
            good[client] = reply

        whole = len(shards) == self.config.shards
        without = {client for client in asked if not whole or self.held.get(client) != number - 1}
        question = Train(round=number, shards=tuple(shards))
        asking = Asking(question, {client: models[client] for client in asked}, without)
        late = self._collect(asking, TrainAnswer, take, needed, entry, kept)
        if len(good) < needed:
            entry["dropped"] += [{"client": c, "reason": f"no reply in {federation.deadline:g} s"} for c in late]
        if not good:
            self._same_fault(number, asked, entry["dropped"])
        replies = [good[client] for client in sorted(good)]
        entry["participants"] = [reply.client for reply in replies]
        entry["train_loss"] = {reply.client: _mean_loss(reply) for reply in replies}
        return replies, entry

    def _collect(
        self,
        asking: Asking,
        kind: type[Answered],
        take: Callable[[str, Answered], None],
        needed: int,
        entry: Entry,
        kept: Kept,
    ) -> list[str]:
        """Hand on every client's answer, also what it gave to a server that was killed before the round was finished.

        Args:
            kind: of the answers.
            take: raises BadMessage where an answer is none.
            needed: good answers to wait for.

        Returns:
            The clients that had not answered in time.
        """
        calls: dict[str, Message] = {}
        questions = asking.questions()
        down: dict[str, int] = {}
        good = 0
        for client, model in asking.models.items():
            known = kept.read(kind, client, questions[client])
            if known is not None:
                entry["bytes_up"] += size_of(known.said.content().arrays)
                take(client, known.said)
                good += 1
            else:
                sent = model if client in asking.without else []
                calls[client] = call(self.run, asking.question.carrying(sent), self.nodes[client])
            down[client] = known.down if known else size_of(to_arrays(sent))
            entry["bytes_down"] += down[client]

        def accept(client: str, message: Message) -> bool:
            try:
                content = content_of(message)
                entry["bytes_up"] += size_of(content.arrays)
                answer = kind.of(content)
                take(client, answer)
            except BadMessage as reason:
                entry["dropped"].append({"client": client, "reason": f"{asking.prefix}{reason}"})
                return False
            kept.write(client, questions[client], Known(answer, down[client]))
            return True

        if good >= needed:
            return []
        return ask(self.grid, self.run, calls, accept, needed - good, self.config.federation.deadline)

    def _finish(
        self, number: int, models: Mapping[str, Model], shards: Sequence[int] | None, entry: Entry, began: float
    ) -> None:
        """Publish these shards of each client's model, have them measured, and write the round down.

        Args:
            shards: None where the clients serve them already.
        """
        fresh: Entry = {"round": number, "bytes_up": 0, "bytes_down": 0, "dropped": []}
        share = share_in_round(
            number, self.config.federation.rounds, self.run.reference["measured"], self.config.evaluate
        )
        entry = fresh | entry | {"share": share}
        measured: dict[str, dict[str, float]] = {}
        answers: dict[str, EvaluateAnswer] = {}

        def take(client: str, answer: EvaluateAnswer) -> None:
            measured.update(results.checked(answer, number, self.groups(client), self.task))
            answers[client] = answer
            self.held[client] = number

        whole = {client: models[client] for client in self.nodes}
        without = () if shards is None else whole.keys()
        sharing = self.config.evaluate.sharing
        question = Evaluate(round=number, shards=tuple(shards or ()), share=entry["share"], sharing=sharing)
        asking = Asking(question, whole, without, _EVALUATION)
        kept = Kept(self.run.rounds.unfinished(number))
        late = self._collect(asking, EvaluateAnswer, take, len(self.nodes), entry, kept)
        entry["dropped"] += [{"client": client, "reason": f"{_EVALUATION}no reply"} for client in late]
        if not measured:
            self._same_fault(number, self.nodes, entry["dropped"])
        entry["clients"] = [{"id": group, **measured[group]} for group in sorted(measured)]
        known = answers if answers.keys() == whole.keys() else {}
        entry["overall"] = results.overall(known, entry["clients"], self.task)
        entry["adapter_hash"] = results.hash_of({client: answer.served for client, answer in answers.items()})
        entry.setdefault("seconds", time.monotonic() - began)
        self.run.rounds.write(number, models, entry)
        self.on_round(entry)

    def _same_fault(self, number: int, asked: Collection[str], dropped: Sequence[Mapping[str, str]]) -> None:
        """FedrecError where all who were asked failed for one reason: that is no fault of a client's own."""
        fault = same_reason(dropped, asked)
        if fault is not None and (len(asked) > 1 or len(self.nodes) == 1):
            raise FedrecError(
                f"round {number}: every client fails ({fault}); mend that and go on, "
                f"{command('simulate --resume', self.run.main.folder)} or "
                f"{command('forget run --run', self.run.main.folder)}, or start again with other settings"
            )

    def groups(self, client: str) -> list[str]:
        """The groups of rows a client may speak for: its own, or everybody's where it holds them."""
        return [fact["id"] for fact in self.run.reference["clients"]] if self.run.pools else [client]

    def _meet(self) -> None:
        self.nodes, self.announced = meet(self.grid, self.run)


def _among(clients: Sequence[str], counted: Sequence[str], record: Mapping[str, balance.Matrix]) -> dict[str, Any]:
    """A shard's record over all clients that replied: one that did not count there keeps its adapter.

    Of many clients no matrix is recorded: it grows with their square, in every round.
    """
    place = {client: index for index, client in enumerate(clients)}
    inside = [place[client] for client in counted]
    found: dict[str, Any] = {}
    for name, values in record.items():
        if values.ndim > 1 and len(clients) > _MANY:
            continue
        whole = np.zeros(len(clients)) if values.ndim == 1 else np.eye(len(clients))
        whole[inside if values.ndim == 1 else np.ix_(inside, inside)] = values
        found[name] = whole.tolist()
    return found


def _mean_loss(reply: TrainAnswer) -> float | None:
    rows = sum(reply.examples)
    return sum(x * n for x, n in zip(reply.loss, reply.examples, strict=True)) / rows if rows else None
