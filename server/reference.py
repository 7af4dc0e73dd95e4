"""What the preparation of a run finds out about its data, as reference.json has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Interactions
from fedrec.errors import FedrecError


@dataclass(frozen=True)
class ClientFacts:
    """How many people and train rows a client has."""

    id: str
    users: int
    train_rows: int


@dataclass(frozen=True)
class Reference:
    """
    Attributes:
        base: name of the base model; data: of the data set.
        listed: whether the catalogue is a list of its own; otherwise it was made of all rows, and titles in it may tell
            of them. Of what an older version prepared nobody knows, and it counts as made of them.
        measured: the share of the people whose test rows are measured.
        trivial: AUC of the scorers without a model; trivial_uauc, trivial_uauc_at_split: ranking within a person.
        best_possible_auc, best_possible_uauc: by the true probabilities, where they are known.
    """

    base: str
    clients: Sequence[ClientFacts]
    measured: float
    data: str
    trivial: Mapping[str, float | None]
    trivial_uauc: Mapping[str, float | None]
    trivial_uauc_at_split: Mapping[str, float | None]
    best_possible_auc: float | None
    best_possible_uauc: float | None
    warnings: Sequence[str]
    notes: Sequence[str]
    listed: bool = False

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """
        Raises:
            FedrecError: it is none.
        """
        try:
            return cls(**{**content, "clients": [ClientFacts(**fact) for fact in content["clients"]]})
        except (KeyError, TypeError):
            raise FedrecError("reference.json: not what a run's preparation found; restore it from a backup") from None

    def content(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def facts_of_clients(rows: Interactions) -> list[ClientFacts]:
    """Of every client; none of central training of which nobody is left."""
    return [
        ClientFacts(name, len(np.unique(rows.user[mine])), int((rows.split[mine] == TRAIN).sum()))
        for name, mine in rows_by_client(rows)
    ]


def rows_by_client(rows: Interactions) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Each client, and which rows are its own."""
    if rows.client is not None:
        order = np.argsort(rows.client, kind="stable")
        borders = np.searchsorted(rows.client[order], np.arange(1, len(rows.client_ids)))
        yield from zip(rows.client_ids, np.split(order, borders), strict=True)
