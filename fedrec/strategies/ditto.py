"""Ditto (Li et al. 2021): FedAvg, and beside it each client's own model, pulled towards the global one."""

from __future__ import annotations

from pydantic import Field

from fedrec.protocol.adapters import Model
from fedrec.strategies.fedavg import FedAvg
from fedrec.strategies.strategy import Learner, Learnt

_OWN = "personal"


class Ditto(FedAvg):
    """A client trains the global model for the server, and a personal one, which it answers with."""

    words = "a shared model, and beside it each client's own, held close to the shared one (Ditto)"
    cannot_forget = "its personal models belong to no round"

    prox: float = Field(0.01, ge=0, description="weight lambda of the proximal term lambda/2 |theta - global|^2")

    @property
    def beside_noise(self) -> str:
        return "ditto trains a second model on the same rows, which is not accounted for; use fedavg or pplr"

    @property
    def beside_sum(self) -> str:
        return "ditto answers by personal models, which are no sum and have no noise; set strategy = fedavg or fedprox"

    def train(self, client: Learner, received: Model) -> Learnt:
        learnt = client.learn(received)
        start = client.kept(_OWN, client.round - 1) or received
        client.keep(_OWN, client.learn(start, anchor=received, pull=self.prox, role=_OWN).model)
        return learnt

    def served(self, client: Learner, published: Model) -> Model:
        return client.kept(_OWN, client.round) or published
