"""Sessions of one middle computed in one pass: every row by its own client's adapter, as a bank routes them.

What one client's step gives is what it gives alone, to float tolerance; alone it is the same to the bit whoever else is
there, which `MiddleSession.forward` keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fedrec.hardware import autocast
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.banks_in_use import using
from fedrec.training.middle import Graph, MiddleSession, check_lengths, packed, padded


def forward_together(
    sessions: Sequence[MiddleSession], lengths: Sequence[Sequence[int]], states: Sequence[Tensor]
) -> list[Tensor]:
    """`Session.forward`, to learn, of each; gradients of the joint bank's adapters reach the sessions' own.

    Args:
        sessions: of one middle, without dropout.

    Raises:
        ValueError: lengths are not those of the states, or states not of one width.
    """
    for session, theirs, each in zip(sessions, lengths, states, strict=True):
        check_lengths(theirs, each)
        session.leave()
    first = sessions[0]
    given = [each.detach().requires_grad_() for each in states]
    rows = torch.tensor([slot for slot, theirs in enumerate(lengths) for _ in theirs])
    together = [length for theirs in lengths for length in theirs]
    with AdapterBank(first.middle.layers, first.begin.lora, width=len(sessions)) as bank:
        _join(bank, sessions)
        computing = autocast(given[0].device, first.begin.precision)
        with torch.enable_grad(), using({}), bank.use(Routed(rows)), computing:
            made = packed(first.middle(padded(torch.cat(given), together)), together)
    parts, group = made.split([len(each) for each in states]), set(sessions)
    for session, came, went in zip(sessions, given, parts, strict=True):
        session.graph = Graph(came, went, group)
    return [each.detach() for each in parts]


@torch.enable_grad()
def _join(bank: AdapterBank, sessions: Sequence[MiddleSession]) -> None:
    """Have the bank's slots be the sessions' adapters themselves, not copies of them."""
    stacks = [dict(session.bank.named_layers()) for session in sessions]
    for name, stack in bank.named_layers():
        for part in ("A", "B"):
            del stack._parameters[part]
            setattr(stack, part, torch.cat([getattr(each[name], part) for each in stacks]))
