"""The best unseen items for one user of a run: the whole catalogue scored after one history, computed once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.client_store import ClientStore
from fedrec.data.ids import named
from fedrec.ensemble.answers import encoder_of, run_base
from fedrec.ensemble.ranking import Recommendation
from fedrec.errors import UsageError, command, did_you_mean
from fedrec.store import Run


def recommend(run: Run, user: str, top: int) -> tuple[str, list[Recommendation]]:
    """The user's client, and its `top` unseen items by falling score (ties by item order).

    Raises:
        UsageError: the run has no such user.
        FedrecError: the user's client serves no model yet.
    """
    user, client = _client_of(run, user)
    rows = client.interactions()
    mine = rows.user == rows.user_ids.index(user)
    items, labels = rows.item[mine], rows.label[mine]
    unseen = np.setdiff1d(np.arange(len(run.catalogue)), items)
    scores = score_items(run, client, items.tolist(), labels.tolist(), unseen.tolist())
    best = np.argsort(-scores, kind="stable")[:top]
    return client.name, [
        Recommendation(run.catalogue.ids[unseen[i]], run.catalogue.titles[unseen[i]], float(scores[i])) for i in best
    ]


def score_items(
    run: Run, client: ClientStore, items: list[int], labels: list[int], candidates: list[int]
) -> NDArray[np.float64]:
    """(m,) like-probability of each candidate item after a history of items and labels, by what the client serves."""
    config = run.config
    hardware.use_threads(config.train)
    base = run_base(run)
    encoder = encoder_of(run, base)
    answers = client.ensemble.answers(config, base, encoder)
    try:
        return answers.candidates(encoder.past_of(items, labels), [encoder.question(item) for item in candidates])
    finally:
        answers.close()


def _client_of(run: Run, given: str) -> tuple[str, ClientStore]:
    """The user in the data's own spelling, and who holds their rows."""
    held = run.clients_of()
    if (user := named("--user", given, held)) in held:
        return user, run.client(held[user][0])
    near = did_you_mean(user, held)
    raise UsageError(
        f"--user {user}: no such user in {run.folder}{near}; {command('data inspect --users 10 --run', run.folder)}"
    )
