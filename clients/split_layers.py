"""A client's end of the split layers: it trains with a middle that is computed elsewhere, where the run has it so.

The adapter that comes out has its middle, too. So nothing else of a run knows of the split: balance, shards, withdrawal
and retraining have one adapter of all layers, and there is no part of a person's that only the server has
(`fedrec.training.middle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fedrec.config import SplitConfig
from fedrec.errors import FedrecError
from fedrec.models.split import SplitPlan, server_part
from fedrec.protocol.layers import Ticket
from fedrec.training.coded import Coded
from fedrec.training.loop import Outcome, train
from fedrec.training.middle import Link, MiddleHere
from fedrec.training.split_step import SplitStep, SplitStopping, split
from fedrec.training.step import Learning


def train_by(
    config: SplitConfig,
    ticket: Ticket | None,
    learning: Learning,
    checkpoint: Path,
    on_step: Callable[[int, int], None] | None,
) -> Outcome:
    """What a lesson makes of an adapter, with the layers where the run has them.

    Args:
        ticket: to the layer service, where the run has one.
        checkpoint: where to keep the state within the round; nothing is kept of a split training.

    Raises:
        FedrecError: the layer service is not said, cannot be reached, or refuses.
    """
    if not config.head:
        return train(learning, checkpoint=checkpoint, on_step=on_step)
    plan = SplitPlan(config.head, config.tail)
    with _link(config, ticket, learning, plan) as link:
        return train(
            split(learning, plan, link),
            step=SplitStep,  # type: ignore[arg-type]  # of a SplitLearning, as given
            stopping=SplitStopping,
            on_step=on_step,
        )


@contextmanager
def _link(config: SplitConfig, ticket: Ticket | None, learning: Learning, plan: SplitPlan) -> Iterator[Link]:
    if config.over == "process":
        here = MiddleHere(server_part(learning.model, plan))
        yield here if config.wire == "fp32" else Coded(here, config.wire)
        return
    if ticket is None:
        raise FedrecError(f"split.over = {config.over}: the server does not say where its layer service is")
    from clients.remote_layers import RemoteMiddle

    with closing(RemoteMiddle(ticket, config.wire)) as remote:
        yield remote
