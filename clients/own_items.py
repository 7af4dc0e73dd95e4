"""Item rows that never leave a client (`items.share = "none"`): put to the adapters that come, taken off those that go.

As in personalised federated learning: everything else is federated, and nobody hears which items a client's people met.
They are a shard's as everything is: `items-1-0003.safetensors` has those of shard 1 after round 3. A shard that is
withdrawn has none any more, here and at every client, and gets new ones in the rounds in which it is trained again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedrec.config import RunConfig
from fedrec.files import sync
from fedrec.protocol.adapters import ITEM_ROWS, Model, State

if TYPE_CHECKING:
    from clients.client import Client
    from fedrec.strategies.strategy import Learner


def stay(config: RunConfig) -> bool:
    """Whether there are such in a run."""
    return bool(config.items.rank) and config.items.share == "none"


@dataclass(frozen=True)
class OwnItems:
    """Those of a client, of the shards of one round."""

    client: Client
    learner: Learner

    def added(self, model: Model, upto: int) -> Model:
        """A model with the client's item rows as they were after a round, or as every adapter begins."""
        found: Model = []
        for shard, state in zip(self.learner.shards, model, strict=True):
            own = self.learner.kept(_role(shard), upto) or [self._begin()]
            found.append({**state, **own[0]})
        return found

    def taken(self, model: Model) -> Model:
        """A trained model without them; they are kept."""
        for shard, state in zip(self.learner.shards, model, strict=True):
            self.learner.keep(_role(shard), [{key: state[key] for key in ITEM_ROWS}])
        return [without(state) for state in model]

    def _begin(self) -> State:
        from fedrec.models.adapter import initial_state

        client = self.client
        initial = initial_state(client.base.model, client.config.lora, client.config.seed)
        return {key: initial[key].numpy() for key in ITEM_ROWS}


def own_items(client: Client, learner: Learner) -> OwnItems | None:
    """Those of a client in a round; None where there are none, or they are shared like everything else."""
    return OwnItems(client, learner) if stay(client.config) else None


def without(state: State) -> State:
    """An adapter without item rows."""
    return {key: array for key, array in state.items() if key not in ITEM_ROWS}


def drop(folder: Path, shards: Collection[int]) -> None:
    """Have none of some shards any more, on the disk when this returns."""
    found = [path for shard in shards for path in folder.glob(f"{_role(shard)}-*.safetensors")]
    for path in found:
        path.unlink()
    if found:
        sync(folder)


def _role(shard: int) -> str:
    return f"items-{shard}"
