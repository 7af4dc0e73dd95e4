"""The layer service: it computes the middle of the model for clients that have the first and the last blocks.

It lives for the training of one round: its key, its sessions and what is in them end with it. It has the middle's
blocks alone, read from the base's files without the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from fedrec.models.split import SplitPlan
from fedrec.protocol.adapters import size_of
from fedrec.protocol.layers import Ticket
from server.run import Run

if TYPE_CHECKING:
    from fedrec.models.split import Middle

Layers = Callable[[Run, Sequence[str]], AbstractContextManager[Mapping[str, Ticket]]]
"""As `layer_tickets`."""

_SLACK = 2**20  # bytes of a message beside its numbers
_STREAMS = 64


@contextmanager
def layer_tickets(run: Run, clients: Sequence[str], batch: int | None = None) -> Iterator[Mapping[str, Ticket]]:
    """While it lasts, the clients of a run may use its layer service; none where the run has no need of it.

    Args:
        batch: clients whose steps are computed in one pass; None = `split.batch`.
    """
    split, train = run.config.split, run.config.train
    if not split.head or split.over == "process":
        yield {}
        return
    from fedrec.base_models.recorded import find_base
    from server.layers.service import LayerService
    from server.layers.sessions import Sessions, tokens_at_once

    source, revision = find_base(run.main.folder, run.config, run.catalogue)
    plan = SplitPlan(split.head, split.tail)
    middle, width = _middle(source, revision, plan, train.device, train.precision)
    largest = max(4 * width * tokens_at_once(run.config), 2 * size_of(run.initial)) + _SLACK
    config = (
        run.config
        if batch is None
        else run.config.model_copy(update={"split": split.model_copy(update={"batch": batch})})
    )
    with LayerService(Sessions(middle, config, most=2 * _STREAMS), largest=largest, streams=_STREAMS) as service:
        yield {client: service.ticket(client) for client in clients}


layers_alone = partial(layer_tickets, batch=1)
"""Each client's steps by themselves: what one's give does not depend, to the bit, on who else is there."""


@lru_cache(maxsize=1)
def _middle(source: str, revision: str | None, plan: SplitPlan, device: str, precision: str) -> tuple[Middle, int]:
    """The middle, and how many numbers its states have a token."""
    from fedrec.models.split_files import load_server_part

    middle = load_server_part(source, plan, revision=revision, device=device, precision=precision)
    return middle, middle.width
