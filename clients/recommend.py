"""The best unseen items for one user of a client."""

from __future__ import annotations

from clients.client_run import ClientRun
from fedrec import hardware
from fedrec.ensemble.ranking import Recommendation, best_unseen
from fedrec.tasks import encoder_of


def recommend(client: ClientRun, user: str, top: int) -> list[Recommendation]:
    """The `top` unseen items of a user who has rows at the client, by falling score.

    Raises:
        FedrecError: the client serves no model yet.
    """
    config, base = client.config, client.base
    hardware.use_threads(config.train)
    encoder = encoder_of(config, client.catalogue, base)
    answers = client.ensemble.answers(config, base, encoder)
    try:
        return best_unseen(answers, encoder, client.catalogue, client.interactions(), user, top)
    finally:
        answers.close()
