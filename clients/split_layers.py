"""A client's end of the split layers: it trains with a middle that is computed elsewhere, where the run has it so.

The adapter that comes out has its middle, too. So nothing else of a run knows of the split: balance, shards, withdrawal
and retraining have one adapter of all layers, and there is no part of a person's that only the server has
(`fedrec.training.middle`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fedrec.config import SplitConfig
from fedrec.models.split import SplitPlan, server_part
from fedrec.training.coded import Coded
from fedrec.training.loop import Outcome, train
from fedrec.training.middle import Link, MiddleHere
from fedrec.training.split_step import SplitStep, SplitStopping, split
from fedrec.training.step import Learning


def train_by(
    config: SplitConfig, learning: Learning, checkpoint: Path, on_step: Callable[[int, int], None] | None
) -> Outcome:
    """What a lesson makes of an adapter, with the layers where the run has them.

    Args:
        checkpoint: where to keep the state within the round; nothing is kept of a split training.
    """
    if not config.head:
        return train(learning, checkpoint=checkpoint, on_step=on_step)
    plan = SplitPlan(config.head, config.tail)
    return train(
        split(learning, plan, _link(config, learning, plan)),
        step=SplitStep,  # type: ignore[arg-type]  # of a SplitLearning, as given
        stopping=SplitStopping,
        on_step=on_step,
    )


def _link(config: SplitConfig, learning: Learning, plan: SplitPlan) -> Link:
    here = MiddleHere(server_part(learning.model, plan))
    return here if config.wire == "fp32" else Coded(here, config.wire)
