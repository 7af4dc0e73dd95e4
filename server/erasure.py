"""Erasure in a federation: what is to be forgotten is located, withdrawn and deleted at the clients, and the shards that
learnt from it run their rounds again from the start. Each step can be repeated; nothing else of the run changes.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from fedrec import messages
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from fedrec.messages import Model
from fedrec.store import Rounds, Run
from server.exchange import ask
from server.federation import Entry, Federation
from server.prepare import initial_of
from server.simulation import write_result_and_page

_PATIENCE = 600.0  # seconds for all clients to answer


@dataclass(frozen=True)
class Located:
    """Who holds something of a selection: rows by client, and the shards that learnt from them."""

    rows: dict[str, int]
    shards: tuple[int, ...]


class FederatedErasure:
    """The means of forgetting in one run."""

    def __init__(self, run: Run, grid: Grid) -> None:
        """
        Raises:
            FedrecError: the run is not finished, or trains what belongs to no shard.
        """
        if run.config.strategy == "ditto":
            raise FedrecError("a run of ditto cannot forget yet: its personal models belong to no round")
        if run.rounds.last() != run.config.federation.rounds:
            raise FedrecError(f"{run.folder} is not finished: `fedrec simulate --resume {run.folder}` first")
        self.run, self.grid = run, grid
        self.federation = Federation(grid, run, initial_of(run), _silent)

    def locate(self, selection: Selection) -> Located:
        """Ask every client what it holds."""
        found = self._ask(messages.LOCATE, selection=selection.model_dump_json())
        rows = {client: int(said["rows"]) for client, said in found.items() if said["rows"]}
        shards = {int(shard) for said in found.values() for shard in said["shards"]}
        return Located(rows, tuple(sorted(shards)))

    def withdraw(self, selection: Selection, shards: Collection[int]) -> None:
        """No client serves the shards any more when this returns."""
        chosen = sorted(shards)
        said = self._ask(messages.WITHDRAW, selection=selection.model_dump_json(), shards=chosen)
        for client, answer in said.items():
            if left := sorted(set(chosen) & set(answer["shards"])):
                raise FedrecError(f"client {client} still serves shard {left[0]}: look at its log, and run this again")

    def erase(self, selection: Selection, request: str) -> dict[str, int]:
        """Delete the rows at every client that holds some; rows deleted, by client."""
        said = self._ask(messages.ERASE, selection=selection.model_dump_json(), request=request)
        return {client: int(answer["rows"]) for client, answer in said.items()}

    def retrain(self, shards: Sequence[int], folder: Path) -> dict[str, Model]:
        """All rounds of the shards again; finished ones are kept in `folder`, so an interruption costs one at most."""
        return self.federation.retrain(shards, Rounds(folder))

    def publish(self, shards: Sequence[int], models: dict[str, Model], folder: Path) -> Entry:
        """Serve the retrained shards beside the others, measure, and write result and page anew."""
        last = self.run.config.federation.rounds
        whole = {client: list(model) for client, model in self.run.rounds.models(last).items()}
        for client, model in models.items():
            for shard, state in zip(shards, model, strict=True):
                whole[client][shard] = state
        self.federation.publish(last, whole)
        write_result_and_page(self.run)
        shutil.rmtree(folder, ignore_errors=True)
        return self.run.rounds.history()[-1]

    def _ask(self, kind: str, **content: Any) -> dict[str, dict[str, Any]]:
        """Every client's answer to one question.

        Raises:
            FedrecError: a client fails, or does not answer.
        """
        self.federation.meet()
        config = ConfigRecord({"run": str(self.run.folder.resolve()), **content})
        calls = {
            client: Message(RecordDict({messages.CONFIG: config}), dst_node_id=node, message_type=kind, group_id=kind)
            for client, node in self.federation.nodes.items()
        }
        said: dict[str, dict[str, Any]] = {}

        def accept(client: str, message: Message) -> bool:
            if message.has_error():
                raise FedrecError(f"client {client}: {message.error.reason}")
            said[client] = dict(message.content.config_records[messages.CONFIG])
            return True

        if silent := ask(self.grid, calls, accept, len(calls), _PATIENCE):
            raise FedrecError(f"client {silent[0]} does not answer: see that it runs, and run this again")
        return said


def _silent(entry: Entry) -> None:
    pass
