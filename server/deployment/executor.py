"""Erasure in a deployed federation: as in any, and besides that clients may be away, on machines that nobody else sees.

What is withdrawn is written down first where clients ask for it themselves (`server.deployment.withheld`); then whoever
is connected is told. Who is away is waited for: nothing is erased, trained again or certified before everybody answers.
A person's id goes to the clients that have something of that person.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flwr.app import Message

from fedrec.console.progress import say as to_stderr
from fedrec.data.selection import Selection
from fedrec.data.user_hash import mark_of
from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import Model, digest_of
from fedrec.protocol.answers import FindAnswer, InventoryAnswer, WithdrawAnswer
from fedrec.protocol.questions import Find, Inventory, Withdraw
from server.calls import Clients
from server.deployment.deployed_run import DeployedRun
from server.deployment.withheld import withheld, withhold
from server.federated_executor import Concerned, FederatedExecutor
from server.reference import ClientFacts
from server.registered_grid import RegisteredGrid
from unlearning.audit.log import AuditLog
from unlearning.certificates.times import ANSWERED
from unlearning.executor import Away, Located, Say
from unlearning.requests.ledger import Ledger
from unlearning.requests.states import State

_LOOK = 1.0  # seconds between two looks who is connected
_ANSWERS = 20.0  # seconds in which whoever is there says so


class DeployedExecutor(FederatedExecutor):
    """The executor of a deployed federation."""

    run: DeployedRun
    grid: RegisteredGrid
    ledger: Ledger

    def __init__(self, run: DeployedRun, grid: RegisteredGrid, ledger: Ledger, patience: float) -> None:
        """
        Args:
            patience: seconds to wait for a client that is not connected.

        Raises:
            FedrecError: as of any federation; or a client is not registered any more.
        """
        super().__init__(run, grid, ledger)
        if gone := sorted({*run.clients} - {*grid.nodes}):
            raise FedrecError(f"client {gone[0]} has no registered key any more: put its {gone[0]}.pub back")
        self._patience, self._holders = patience, dict[str, set[str]]()
        self._audit = AuditLog(run.folder / "erasure" / "audit.jsonl")

    def check_current(self) -> None:
        if away := self._away():
            raise Away(f"clients {', '.join(away)} are not connected, and nobody else knows what they hold: start them")
        super().check_current()

    def catch_up(self, say: Say = to_stderr) -> None:
        """As of any federation; where somebody is away, what is to be withdrawn is so at all the others first.

        Raises:
            Away: they do not come in the time that they are given.
        """
        out, before = self.ledger.shards_out(), {*withheld(self.run.folder)}
        away = self._away()
        self.held = frozenset(self._touched() if away else self._touched() & before)
        withhold(self.run, out | self.held)
        if away:
            self._withdraw_at_others(away, say)
            self._await(away, say)
        super().catch_up(say)
        if released := sorted(before - out - self.held):  # of a request that is wanted no longer
            models = self.run.rounds.models(self.federation.last)
            super().serve(released, {name: [model[shard] for shard in released] for name, model in models.items()})

    def locate(self, selection: Selection, client: str | None = None) -> Located:
        found = super().locate(selection, client)
        if not self.held:
            return found
        models = self.run.rounds.models(self.federation.last)
        adapters = {
            name: [
                digest_of(models[name][shard]) if shard in self.held and not digest else digest
                for shard, digest in enumerate(served)
            ]
            for name, served in found.adapters.items()
        }  # what they served until it was withheld
        return replace(found, adapters=adapters)

    def withdraw(self, selection: Selection, client: str | None, shards: Collection[int]) -> list[str]:
        withhold(self.run, {*self.ledger.shards_out(), *shards, *self.held})
        return super().withdraw(selection, client, shards)

    def serve(self, shards: Sequence[int], models: Mapping[str, Model], withdrawn: Collection[int] = ()) -> None:
        self.held -= {*shards}
        withhold(self.run, {*withdrawn, *self.held})
        super().serve(shards, models, withdrawn)

    def heard(self, request: str, client: str) -> None:
        self._audit.append(ANSWERED, request=request, client=client)

    def measure(self, shards: Sequence[int], models: Mapping[str, Model], folder: Path) -> None:
        said = self._clients.ask(Inventory(), InventoryAnswer)
        self.run.told = [ClientFacts(name, each.users, sum(each.examples)) for name, each in sorted(said.items())]
        super().measure(shards, models, folder)

    def _concerned(self, selection: Selection, client: str | None) -> Concerned:
        """Of all clients those that have something of the people who are named; all where nobody has."""
        (names, who), (others, nobody) = super()._concerned(selection, client)
        people = {*selection.users, *(row.split("\t")[0] for row in selection.rows)}
        if client is not None or not people:
            return (names, who), (others, nobody)
        holders = self._holders_of(selection, people) or names
        return (holders, who), (names - holders, nobody)

    def _holders_of(self, selection: Selection, people: Collection[str]) -> set[str]:
        """Those that say so, and those that a plan names, where they have nothing left by now."""
        asked = selection.model_dump_json()
        if asked not in self._holders:
            key = secrets.token_bytes(32)
            question = Find(key=key.hex(), marks=tuple(sorted(mark_of(key, person) for person in people)))
            said = self._clients.ask(question, FindAnswer)
            self._holders[asked] = {name for name, answer in said.items() if answer.found} | self._planned(selection)
        return self._holders[asked]

    def _planned(self, selection: Selection) -> set[str]:
        found = set[str]()
        for request in self.ledger.open_requests():
            if request.plan and request.scope.client is None and self._selected(request.id) == selection:
                found.update(request.plan["clients"])
        return found

    def _selected(self, id: str) -> Selection:
        """What a request is of; nothing where nobody can read that, which is told elsewhere."""
        try:
            return self.ledger.selection(id)
        except FedrecError:
            return Selection()

    def _touched(self) -> set[int]:
        """The shards of the people of whom requests are that are approved and not begun; all where none are named."""
        found = set[int]()
        for request in self.ledger.open_requests():
            if request.state in (State.IDENTIFIED, State.PLANNED) and request.decision == "approved":
                selection = self._selected(request.id)
                some = self.run.shard_of(selection.users).tolist() if selection.users else range(self.run.config.shards)
                found.update(some if selection != Selection() else ())
        return found

    def _away(self) -> list[str]:
        """Who is not connected, or has lost its link so lately that Flower does not know, and does not answer."""
        there = self._at(self.grid.connected())
        answered = set[str]()

        def accept(client: str, reply: Message) -> bool:
            if not reply.has_error():
                answered.add(client)
            return client in answered

        there.send(dict.fromkeys(there.nodes, Inventory()), accept, len(there.nodes), _ANSWERS)
        return sorted({*self.run.clients} - answered)

    def _at(self, names: Collection[str]) -> Clients:
        """Some of the clients, whoever else is there."""
        return Clients(self.grid, self.run, {name: self.grid.nodes[name] for name in self.run.clients if name in names})

    def _withdraw_at_others(self, away: Collection[str], say: Say) -> None:
        """Those that are connected serve the shards no more when this returns; no person is named."""
        out = tuple(sorted({*self.ledger.shards_out(), *self.held}))
        there = self._at({*self.run.clients} - {*away})
        if not out or not there.nodes:
            return
        question = Withdraw(selection=Selection(), shards=out)
        for name, said in there.ask(question, WithdrawAnswer).items():
            if left := sorted({*out} & {*said.shards}):
                raise FedrecError(f"client {name} still serves shard {left[0]}: see its log, and run this again")
        say(f"shards {', '.join(map(str, out))} are withdrawn at {', '.join(there.nodes)}")

    def _await(self, away: Sequence[str], say: Say) -> None:
        say(f"waiting for {', '.join(away)}, {self._patience:g} s at most")
        end = time.monotonic() + self._patience
        while away := self._away():
            if time.monotonic() > end:
                again = command("forget run --run", self.run.folder)
                raise Away(
                    f"clients {', '.join(away)} are not connected, so nothing is erased or certified; what is to be "
                    f"withdrawn they learn first when they come, or serve no longer than their lease: {again} then"
                )
            time.sleep(min(_LOOK, self._patience))
