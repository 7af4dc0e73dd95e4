"""The rows of a split as an ensemble answers them now: a person, a client, and titles warm and cold apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Interactions
from fedrec.data.user_hash import numbered
from fedrec.ensemble.at_split import scores_at_split
from fedrec.ensemble.served_model import ServedModel
from fedrec.metrics import auc
from fedrec.privacy.disclosure import ScoredRows, together
from fedrec.scoring import by_person
from fedrec.tasks.task import Encoder, Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evaluated:
    """n rows of a split.

    Attributes:
        users, clients: (n,) ids, of the row's person and of who holds it.
        shards: (n,) of the row's person; -1 where they are in none, or in several.
        warm: (n,) whether the row's title has train rows where the model was trained.
    """

    users: NDArray[np.str_]
    clients: NDArray[np.str_]
    shards: NDArray[np.int32]
    warm: NDArray[np.bool_]
    scored: ScoredRows

    def take(self, mask: NDArray[np.bool_]) -> Evaluated:
        """The rows of the mask (n,)."""
        columns = {name: each[mask] for name, each in vars(self).items() if name != "scored"}
        return Evaluated(**columns, scored=self.scored.take(mask))


def evaluate(
    answers: ServedModel, encoder: Encoder, task: Task, rows: Interactions, split: int, name: str, shard: NDArray[Any]
) -> Evaluated:
    """All rows of a split.

    Args:
        name: who holds the rows, where they do not say themselves.
        shard: (users,) of each person.
    """
    wanted = rows.split == split
    growing = answers.scores(encoder.windows(rows, wanted), len(rows), by_person(rows.user))
    at_split, chosen = scores_at_split(answers, encoder, rows, wanted), rows.take(wanted)
    clients = np.array(rows.client_ids or (name,), np.str_)
    return Evaluated(
        users=np.array(rows.user_ids, np.str_)[chosen.user],
        clients=clients[np.zeros(len(chosen), np.int32) if chosen.client is None else chosen.client],
        shards=np.asarray(shard, np.int32)[chosen.user],
        warm=np.isin(chosen.item, rows.item[rows.split == TRAIN]),
        scored=ScoredRows(
            scores=growing[wanted],
            labels=task.labels(chosen).astype(np.int8),
            people=numbered(rows.user_ids)[chosen.user],
            at_split=at_split[wanted],
        ),
    )


def summary(parts: Sequence[Evaluated], task: Task) -> dict[str, Any]:
    """The metrics of each client's rows, of all, and of warm and cold titles, each with margins over people."""
    clients = {name: part.take(part.clients == name) for part in parts for name in np.unique(part.clients)}
    warm, cold = ([part.take(part.warm == known) for part in parts] for known in (True, False))
    return {
        "clients": [{"id": str(name), **_measured([clients[name]], task)} for name in sorted(clients)],
        "overall": _measured(parts, task),
        "warm": _measured(warm, task),
        "cold": _measured(cold, task),
    }


def _measured(parts: Sequence[Evaluated], task: Task) -> dict[str, float]:
    """Each person once, whoever holds their rows."""
    told = [part.scored for part in parts]
    rows = together(told)
    users = np.unique(rows.people, return_inverse=True)[1].astype(np.int32)
    measured = task.measure(rows.scores, rows.labels, users, rows.at_split)
    return {**measured, **task.pool(told), **task.margins(told), "people": len(np.unique(users))}


def per_user(parts: Sequence[Evaluated]) -> pd.DataFrame:
    """A line a person and client: user, client, shard, rows, auc, mean_score, auc_at_split; empty where unknown."""
    import pandas as pd

    lines: list[Mapping[str, Any]] = []
    for part in parts:
        scored = part.scored
        whose = pd.DataFrame({"client": part.clients, "user": part.users}).groupby(["client", "user"]).indices
        for mine in whose.values():
            labels, shard = scored.labels[mine], int(part.shards[mine[0]])
            lines.append(
                {
                    "user": str(part.users[mine[0]]),
                    "client": str(part.clients[mine[0]]),
                    "shard": None if shard < 0 else shard,
                    "rows": len(mine),
                    "auc": auc(scored.scores[mine], labels),
                    "mean_score": float(scored.scores[mine].mean()),
                    "auc_at_split": auc(scored.at_split[mine], labels),
                }
            )
    columns = ["user", "client", "shard", "rows", "auc", "mean_score", "auc_at_split"]
    return pd.DataFrame(lines, columns=columns).astype({"shard": "Int32", "rows": "int64"})
