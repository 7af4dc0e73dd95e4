"""FedProx (Li et al. 2020): FedAvg, whose clients are held close to the model they received while they train."""

from __future__ import annotations

from pydantic import Field

from fedrec.protocol.adapters import Model
from fedrec.strategies.fedavg import FedAvg
from fedrec.strategies.strategy import Learner, Learnt


class FedProx(FedAvg):
    """The client's half adds the proximal term; the server's is FedAvg's."""

    words = "one shared model, each client held close to it while it trains (FedProx)"

    prox: float = Field(0.01, ge=0, description="weight mu of the proximal term mu/2 |theta - received|^2")

    def train(self, client: Learner, received: Model) -> Learnt:
        return client.learn(received, pull=self.prox)
