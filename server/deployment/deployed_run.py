"""A run of a deployed federation as its server has it: nobody's rows are here, and of them only counts are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fedrec.data.selection import Selection
from server.reference import ClientFacts, Reference
from server.run import Run


class DeployedRun(Run):
    """A run whose clients are on machines of their own."""

    told: Sequence[ClientFacts] | None = None
    """How much each client says that it has now; None where nobody asked since this was opened."""

    def clients_of(self) -> Mapping[str, Collection[str]] | None:
        return None

    def changed_shards(self) -> Mapping[str, Collection[int]]:
        """Nobody here can tell before the clients are asked."""
        return {}

    def holds(self, selection: Selection, client: str | None) -> bool:
        """Nobody here can tell, and who asks for an erasure is not turned away."""
        return True

    def measured_anew(self) -> Reference:
        """With the counts of now."""
        known = self.reference
        return known if self.told is None else replace(known, clients=tuple(self.told))
