"""Erasure in a federation: what is to be forgotten is located, withdrawn and deleted at the clients, and the shards
that learnt from it run their rounds again from the start. Each step can be repeated; nothing else of the run changes.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from flwr.serverapp import Grid

from fedrec.console.progress import say as to_stderr
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import Model, digest_of
from fedrec.protocol.answers import (
    Done,
    EraseAnswer,
    LocateAnswer,
    RehearseAnswer,
    ServeAnswer,
    WithdrawAnswer,
)
from fedrec.protocol.questions import (
    AboutShards,
    Discard,
    Erase,
    Leave,
    Locate,
    Question,
    Rehearse,
    Serve,
    Unlearn,
    Withdraw,
)
from fedrec.strategies import strategy_of
from server import unlearning
from server.calls import Answered, Clients
from server.federation import Federation
from server.handshake import meet
from server.integrity.replay import catch_up, own_item_rows, refuse, remember
from server.integrity.retraining import RetrainedShards, keep, whole
from server.layers import layers_alone
from server.release_ledger import begin_retraining
from server.rounds import Rounds
from server.run import Run
from unlearning.certificates.bundle import Round
from unlearning.executor import Cost, Located, OnRound, Rehearsal, Retrained, Say, silent
from unlearning.requests.ledger import Ledger

Concerned = tuple[tuple[set[str], Selection], tuple[set[str], Selection]]
"""Which clients a selection is for, with it, and the others, with none."""
_UNSEEN = 1000  # rows never learnt from, over all clients, that erased ones are held against: many times a person's
_METHOD = "federated-shard-retraining"


class FederatedExecutor:
    """The executor of a federation; `held` are shards that nobody serves though no request has withdrawn them."""

    def __init__(self, run: Run, grid: Grid, ledger: Ledger | None = None) -> None:
        """
        Args:
            ledger: what remembers the clients' erasures; with none, nobody sees that an old copy was put back.

        Raises:
            FedrecError: the run is not finished, or trains what belongs to no shard.
        """
        if why := strategy_of(run.config).cannot_forget:
            raise FedrecError(f"a run of {run.config.strategy} cannot forget yet: {why}")
        if run.rounds.last() != run.config.federation.rounds:
            raise FedrecError(f"{run.folder} is not finished: {command('simulate --resume', run.folder)} first")
        self.run, self.grid, self.ledger = run, grid, ledger
        self.federation = Federation(grid, run, layers=layers_alone)
        self.held: frozenset[int] = frozenset()
        self._begin_again = False
        self._waiting: dict[str, dict[str, int]] = {}  # by request and client, erased rows to be answered for

    @property
    def model(self) -> Run:
        return self.run

    @property
    def baselines(self) -> list[str]:
        return [baseline.name for baseline in self.run.baselines]

    @cached_property
    def _clients(self) -> Clients:
        return meet(self.grid, self.run)

    def check_current(self) -> None:
        """
        Raises:
            FedrecError: a client lacks erasures that it had done, or would serve what was withdrawn.
        """
        if self.ledger is not None:
            refuse(self.run, remember(self._clients, self.ledger))

    def catch_up(self, say: Say = to_stderr) -> None:
        """No client lacks erasures that it had done when this returns, nor serves what was withdrawn."""
        if self.ledger is not None and catch_up(self._clients, self.ledger, say, self.held):
            self._begin_again = own_item_rows(self.run.config)

    def locate(self, selection: Selection, client: str | None = None) -> Located:
        """Ask every client what it holds of it; where one client alone is concerned, the others hold nothing of it."""
        found: dict[str, LocateAnswer] = {}
        for names, who in self._concerned(selection, client):
            found |= self._ask(names, Locate(selection=who), LocateAnswer)
        rows = {name: said.rows for name, said in found.items() if said.rows}
        return Located(
            rows=rows,
            shards=tuple(sorted({shard for said in found.values() for shard in (*said.shards, *said.changed)})),
            changed={name: said.changed for name, said in found.items() if said.changed},
            left={name: said.left for name, said in found.items()},
            titles=self.run.titles_of_only(selection, rows) if rows else None,
            data={name: said.data for name, said in found.items()},
            adapters={name: list(said.served) for name, said in found.items()},
            erasures=self.ledger.chain_ends() if self.ledger is not None else {},
        )

    def cost(self, shards: Sequence[int]) -> Cost:
        """Estimated from the rounds as they were run: what the shards are of all shards."""
        seconds = sum(entry.seconds or 0 for entry in self.run.rounds.history())
        return Cost(
            clients=list(self.run.clients) if shards else [],
            rounds=self.federation.last if shards else 0,
            seconds=seconds * len(shards) / self.run.config.shards,
        )

    def withdraw(self, selection: Selection, client: str | None, shards: Collection[int]) -> list[str]:
        """No client serves the shards any more when this returns.

        Returns:
            The baselines that are gone as well, because they read the rows.
        """
        chosen, found = sorted(shards), 0
        for names, who in self._concerned(selection, client):
            question = Withdraw(selection=who, shards=tuple(chosen))
            for name, said in self._ask(names, question, WithdrawAnswer).items():
                if left := sorted(set(chosen) & set(said.shards)):
                    raise FedrecError(f"client {name} still serves shard {left[0]}: see its log, and run this again")
                found += said.rows
        if not found and not chosen:
            return []
        for baseline in self.run.baselines:
            self._clients.of(baseline).ask(Leave(), Done)
        return self.run.remove_baselines()

    def erase(self, selection: Selection, client: str | None, request: str) -> dict[str, int]:
        """Delete the rows at every client, or at one.

        Returns:
            By client how many rows were deleted.
        """
        (names, _), _ = self._concerned(selection, client)
        asked = dict.fromkeys(sorted(names), Erase(selection=selection, request=request))
        said = self._clients.ask(asked, EraseAnswer, partial(self.heard, request))
        if self.ledger is not None:
            remember(self._clients, self.ledger)
        self._waiting[request] = {name: answer.waiting for name, answer in said.items()}
        return {name: answer.rows for name, answer in said.items()}

    def heard(self, request: str, client: str) -> None:
        """A client has answered that it erased what a request asks for."""

    def retrain(self, shards: Sequence[int], folder: Path, on_round: OnRound = silent) -> dict[str, Model]:
        """All rounds of the shards again; finished ones are kept in `folder`, so an interruption costs one at most.

        Unless a client had to catch up, and has lost its own item rows of those rounds.
        """
        if self._begin_again:
            shutil.rmtree(folder, ignore_errors=True)
            self._begin_again = False
        begin_retraining(self.run, shards, folder.parent.name)  # of a batch of requests, also if it is done twice
        return self.federation.retrain(shards, Rounds(folder), on_round)

    def retrained(self, shards: Sequence[int], folder: Path) -> Retrained:
        return self._kept(_METHOD, shards, folder)

    def unlearning(self, located: Located) -> Cost:
        """Estimated from a round as it was run: who has nothing to forget trains as in any."""
        if why := unlearning.cannot(self.run.config):
            raise FedrecError(why)
        seconds = max((entry.seconds or 0 for entry in self.run.rounds.history()), default=0.0)
        return Cost(clients=list(self.run.clients), rounds=1, seconds=seconds)

    def originals(self, shards: Sequence[int]) -> dict[str, Model]:
        """Those of the last round, as long as `measure` has not put others in their place."""
        models = self.run.rounds.models(self.federation.last)
        return {client: [model[shard] for shard in shards] for client, model in models.items()}

    def unlearn(
        self, requests: Sequence[str], shards: Sequence[int], folder: Path, on_round: OnRound = silent
    ) -> dict[str, Model]:
        """One round: the clients whose erased rows wait forget them, the others train as in the last; then balanced."""
        question = Unlearn(round=self.federation.last, shards=tuple(shards), requests=tuple(requests))
        models = self.federation.unlearn(question, self.originals(shards), Rounds(folder))
        on_round()
        return models

    def unlearned(self, shards: Sequence[int], folder: Path) -> Retrained:
        return self._kept(unlearning.METHOD, shards, folder)

    def _kept(self, method: str, shards: Sequence[int], folder: Path) -> Retrained:
        rounds, seed = Rounds(folder), self.run.config.seed
        last = rounds.last() or 0
        participation = []
        for number in range(1, last + 1):
            entry = rounds.entry(number)
            for place, shard in enumerate(shards):
                models = {client: (entry.hashes or {})[client][place] for client in entry.participants or ()}
                participation.append(Round(shard=shard, round=number, seed=seed, models=models))
        return Retrained(method, rounds.models(last) if last else {}, last, participation)

    def rehearse(self, requests: Sequence[str], shards: Sequence[int], models: Mapping[str, Model]) -> Rehearsal:
        """What the clients find when they try retrained adapters."""
        unseen = math.ceil(_UNSEEN / len(self._clients.nodes))
        question = Rehearse(requests=tuple(requests), shards=tuple(shards), unseen=unseen)
        said = self._clients.ask(_carrying(models, question), RehearseAnswer).values()
        taught = self._taught()
        return Rehearsal(
            [x for answer in said if answer.client in taught for x in answer.forgotten],
            [x for answer in said for x in answer.unseen],
            _utility([answer for answer in said if not math.isnan(answer.after - answer.before)]),
            tuple(answer.client for answer in said if len(answer.forgotten) < self._held(answer.client, requests)),
        )

    def _held(self, client: str, requests: Sequence[str]) -> int:
        """How many rows a client said that it keeps to answer for."""
        return sum(self._waiting.get(request, {}).get(client, 0) for request in requests)

    def _taught(self) -> set[str]:
        """The clients whose rows are in the models of the last round."""
        found = set()
        for entry in self.run.rounds.history()[1:]:
            lost = {each.client for each in entry.dropped}
            found |= set() if entry.skipped else {*(entry.participants or ())} - lost
        return found

    def discard_erased(self, requests: Sequence[str]) -> None:
        """Nothing that waited for the verification is kept any longer."""
        self._clients.ask(Discard(requests=tuple(requests)), Done)

    def serve(self, shards: Sequence[int], models: Mapping[str, Model], withdrawn: Collection[int] = ()) -> None:
        """Every client serves the retrained shards beside the others when this returns.

        Args:
            withdrawn: shards that are not to be served, retrained or not.
        """
        places = [place for place, shard in enumerate(shards) if shard not in withdrawn]
        back = {name: [models[name][place] for place in places] if places else [] for name in self._clients.nodes}
        question = Serve(shards=tuple(shards[place] for place in places))
        for name, answer in self._clients.ask(_carrying(back, question), ServeAnswer).items():
            for place in places:
                if answer.served[shards[place]] != digest_of(models[name][place]):
                    raise FedrecError(
                        f"client {name} serves another shard {shards[place]} than it was sent: see its log"
                    )

    def measure(self, shards: Sequence[int], models: Mapping[str, Model], folder: Path) -> None:
        """Keep what is served now as the run's model, have it measured, and write the result anew.

        Args:
            folder: the rounds in which the shards were trained again.
        """
        keep(self.grid, self.run, RetrainedShards([*shards], whole(self.run, shards, models)), folder)

    def _concerned(self, selection: Selection, client: str | None) -> Concerned:
        """Which clients the selection is for, and the others, for whom nothing is selected.

        Raises:
            FedrecError: the run has no such client.
        """
        everybody = set(self.run.clients)
        if client is not None and client not in everybody:
            raise FedrecError(f"client {client}: not in the run, which has {', '.join(self.run.clients)}")
        concerned = everybody if client is None else {client}
        return (concerned, selection), (everybody - concerned, Selection())

    def _ask(self, names: Collection[str], question: Question, kind: type[Answered]) -> dict[str, Answered]:
        """What some clients answer to one question; errors as of `Clients.ask`."""
        return self._clients.ask({name: question for name in self._clients.nodes if name in names}, kind)


def _carrying(models: Mapping[str, Model], question: AboutShards) -> dict[str, AboutShards]:
    """By client, the question with its model."""
    return {name: question.carrying(model) for name, model in models.items()}


def _utility(said: Sequence[RehearseAnswer]) -> tuple[float, float, int, int] | None:
    if not said:
        return None
    pairs = [answer.liked * answer.disliked for answer in said]
    before = float(np.average([answer.before for answer in said], weights=pairs))
    after = float(np.average([answer.after for answer in said], weights=pairs))
    return before, after, sum(answer.liked for answer in said), sum(answer.disliked for answer in said)
