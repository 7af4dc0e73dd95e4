"""The layer service: it computes the middle of the model for clients that have the first and the last blocks.

It lives for the training of one round: its key, its sessions and what is in them end with it. It has the middle's
blocks alone, read from the base's files without the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from fedrec.models.split import SplitPlan
from fedrec.protocol.adapters import size_of
from fedrec.protocol.layers import Ticket
from server.run import Run

if TYPE_CHECKING:
    from fedrec.models.split import Middle

_SLACK = 2**20  # bytes of a message beside its numbers
_STREAMS = 64


@contextmanager
def layer_tickets(run: Run, clients: Sequence[str]) -> Iterator[Mapping[str, Ticket]]:
    """While it lasts, the clients of a run may use its layer service; none where the run has no need of it."""
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
    with LayerService(Sessions(middle, run.config, most=2 * _STREAMS), largest=largest, streams=_STREAMS) as service:
        yield {client: service.ticket(client) for client in clients}


@lru_cache(maxsize=1)
def _middle(source: str, revision: str | None, plan: SplitPlan, device: str, precision: str) -> tuple[Middle, int]:
    """The middle, and how many numbers its states have a token."""
    from fedrec.models.split_files import load_server_part

    middle = load_server_part(source, plan, revision=revision, device=device, precision=precision)
    return middle, middle.width
