"""Asking a sharded model, as long as it has done every erasure that its ledger remembers."""

from __future__ import annotations

from fedrec.data.ids import named
from fedrec.ensemble.ranking import Ranking, best_unseen
from fedrec.errors import UsageError, did_you_mean
from unlearning.central.answering import AnsweringModel
from unlearning.central.freshness import check_current
from unlearning.central.model_folder import CENTRAL, ModelFolder


def recommend(model: ModelFolder, user: str, top: int) -> tuple[str, Ranking]:
    """Who holds the user's rows, and the `top` unseen items.

    Raises:
        UsageError: the model has no such user.
        FedrecError: it is not trained yet, or is an old copy that was put back.
    """
    held = model.clients_of()
    if (known := named("--user", user, held)) not in held:
        raise UsageError(f"--user {user}: no such user in {model.folder}{did_you_mean(known, held)}")
    check_current(model)
    opened = AnsweringModel(model.folder)
    opened.ensemble.hashes()
    try:
        rows = opened.interactions
        return CENTRAL, best_unseen(opened.answers, opened.encoder, opened.catalogue, rows, known, top)
    finally:
        opened.answers.close()
