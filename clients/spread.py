"""What a client adds to the interval of the AUC over all clients' rows: one number, against everybody's counts.

Against counts made up for it, many such numbers would tell which rows are one person's. So they are told to a server
that may have the counts, against counts that can be true, and of the same scores against one set of them alone.
"""

from __future__ import annotations

import hashlib

import numpy as np

from clients.client import Client
from fedrec.data.user_hash import numbered
from fedrec.errors import FedrecError
from fedrec.files import write_bytes
from fedrec.privacy.disclosure import Histogram, ScoredRows, auc_variance_of

_TOLD = "spread.told"


def spread(client: Client, number: int, everybody: Histogram) -> float:
    """The sum of the squared influences of this client's people on the AUC of everybody's rows.

    Args:
        number: of the round whose model was measured.

    Raises:
        FedrecError: the client's policy allows no counts, it measured nothing of that round, or it told another such
            number of the same scores.
        ValueError: the counts have not its own rows among them.
    """
    if client.sharing == "metrics":
        raise FedrecError(f"client {client.name} tells metrics of its scores alone: its client.toml allows no more")
    kept = client.ensemble.scores.read()
    if kept is None or int(kept.round) != number:
        raise FedrecError(f"client {client.name} has not measured the model of round {number}")
    who, user = np.unique(kept.users, return_inverse=True)
    people = numbered(tuple(map(str, who)))[user]
    rows = ScoredRows(kept.scores, kept.labels, people, np.full(len(user), np.nan))
    found = auc_variance_of(rows, everybody)
    _once(client, kept.scores.tobytes(), everybody.liked.tobytes() + everybody.disliked.tobytes())
    return found


def _once(client: Client, scores: bytes, counts: bytes) -> None:
    """FedrecError where a number of these scores was told against other counts."""
    path, (mine, theirs) = client.store.folder / _TOLD, (hashlib.sha256(each).hexdigest() for each in (scores, counts))
    told = path.read_text().split() if path.exists() else []
    if told[:1] == [mine] and told[1:] != [theirs]:
        raise FedrecError(f"client {client.name} told of the same scores before, against other counts")
    write_bytes(path, f"{mine} {theirs}".encode())
