"""Asking a sharded model, as long as it has done every erasure that its ledger remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedrec.data.ids import named
from fedrec.errors import UsageError, command, did_you_mean
from unlearning.central.freshness import check_current
from unlearning.central.model_folder import CENTRAL, ModelFolder

if TYPE_CHECKING:
    from fedrec.ensemble.ranking import Ranking


def recommend(model: ModelFolder, user: str, top: int) -> tuple[str, Ranking]:
    """Who holds the user's rows, and the `top` unseen items.

    Raises:
        UsageError: the model has no such user.
        FedrecError: it is not trained yet, or is an old copy that was put back.
    """
    held = model.clients_of()
    if (known := named("--user", user, held)) not in held:
        path = model.config.data.path
        lists = command("data inspect --users 10", *(() if path is None else (path,)))
        raise UsageError(
            f"--user {known}: no such user in {model.folder}{did_you_mean(known, held)}; {lists} lists some"
        )
    check_current(model)
    from fedrec.ensemble.ranking import best_unseen  # seconds, which nobody waits for who mistyped an id
    from unlearning.central.answering import AnsweringModel

    opened = AnsweringModel(model.folder)
    opened.ensemble.hashes()
    try:
        rows = opened.interactions
        return CENTRAL, best_unseen(opened.answers, opened.encoder, opened.catalogue, rows, known, top)
    finally:
        opened.answers.close()
