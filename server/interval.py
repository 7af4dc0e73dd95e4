"""The interval over people of the AUC over all rows, where clients tell counts of their scores and not each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from flwr.app import Message

from fedrec.intervals import margin_of
from fedrec.privacy.disclosure import Histogram, SharedScores, all_scored, counted, histogram_of
from fedrec.protocol.adapters import size_of
from fedrec.protocol.answers import SpreadAnswer
from fedrec.protocol.questions import Spread
from fedrec.protocol.record import BadMessage, untrusted
from server.calls import content_of
from server.collection import Collector

_ROUNDING = 1e-15  # of the variance, which is 0 of one person


def auc_margin(collector: Collector, number: int, told: Mapping[str, SharedScores]) -> dict[str, float]:
    """`auc_margin`, to which every client adds its people's part; nothing where one does not, or of two clients.

    Args:
        number: the round that was measured.
        told: what each client told of its scores; where that is every score the interval follows without asking.
    """
    everybody = counted(list(told.values()))
    if everybody is None or all_scored(list(told.values())) or len(told) == 2:
        return {}
    said, clients = dict[str, float](), collector.clients

    def accept(client: str, message: Message) -> bool:
        try:
            answer = SpreadAnswer.of(content_of(message))
            with untrusted():
                answer.check(client, clients.run.config.shards)
        except BadMessage:
            return False
        if good := answer.variance <= _highest(told[client], everybody):
            said[client] = answer.variance
        return good

    question = Spread(round=number, counts=everybody)
    collector.down += len(told) * size_of(question.content().arrays)
    clients.send(dict.fromkeys(told, question), accept, len(told), clients.run.config.federation.deadline)
    variance = math.fsum(said.values())
    return {"auc_margin": margin_of(variance)} if said.keys() == told.keys() and variance > _ROUNDING else {}


def _highest(told: SharedScores, everybody: Histogram) -> float:
    """The square of the influence of all a client's rows, were they one person's and as far from the AUC as can be."""
    mine = histogram_of(told) if told is not None else everybody
    return float(mine.liked.sum() / everybody.liked.sum() + mine.disliked.sum() / everybody.disliked.sum()) ** 2
