"""Item rows that never leave a client (`items.share = "none"`): put to the adapters that come, taken off those that go.

As in personalised federated learning: everything else is federated, and nobody hears which items a client's people met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fedrec.protocol.adapters import ITEM_ROWS, Model, State
from fedrec.strategies.strategy import Learner

_ROLE = "items"


@dataclass(frozen=True)
class OwnItems:
    """Those of a client in one round.

    Attributes:
        begin: gives the item rows that every adapter begins with.
    """

    learner: Learner
    begin: Callable[[], State]

    def added(self, model: Model, upto: int) -> Model:
        """A model with the client's item rows as they were after a round."""
        own = self.learner.kept(_ROLE, upto) or [self.begin()] * len(model)
        return [{**state, **mine} for state, mine in zip(model, own, strict=True)]

    def taken(self, model: Model) -> Model:
        """A trained model without them; they are kept."""
        self.learner.keep(_ROLE, [{key: state[key] for key in ITEM_ROWS} for state in model])
        return [without(state) for state in model]


def without(state: State) -> State:
    """An adapter without item rows."""
    return {key: array for key, array in state.items() if key not in ITEM_ROWS}
