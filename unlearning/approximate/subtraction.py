"""Subtracting what was learnt: task arithmetic (Ilharco et al., ICLR 2023, arXiv 2212.04089) on low-rank adapters.

    W = W_0 + s B A - lambda s B_f A_f

A, B are the original's, A_f, B_f of an adapter trained from the start on the rows to be forgotten alone. The difference
has rank 2r; its best approximation of rank r is again an adapter (Eckart and Young). lambda is fitted by the rule that
stops approximate unlearning, among a few; without validation rows it is a fixed one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B
from fedrec.protocol.item_rows import rows_of, union, with_rows
from fedrec.training.item_start import with_item_rows
from fedrec.training.loop import Outcome, train
from fedrec.training.step import Learning, items_read
from unlearning.approximate.lesson import Forgetting, without_lost_items
from unlearning.approximate.stopping import ForgettingStopping

SHARES = (0.05, 0.1, 0.2, 0.4, 0.8)
_UNFITTED = 0.2


def learnt_alone(learning: Forgetting) -> Outcome:
    """What the initial adapter learns from the rows to be forgotten, as it was trained; where rows are reset without
    the titles' effects that they began with, which are gone already."""
    lesson = replace(learning.lesson, windows=learning.forgotten)
    config = learning.config.model_copy(update={"stop": "never"})
    begun = with_item_rows(Learning(learning.model, learning.lora, learning.initial, lesson, config))
    outcome = train(begun)
    if not learning.reset or ITEMS_A not in begun.start:
        return outcome
    return replace(outcome, state={**outcome.state, **_item_rows(outcome.state, begun.start, 1.0)})


def subtracted(learning: Forgetting, alone: State, share: float | None) -> State:
    """The start without a share of what was learnt alone.

    Args:
        share: lambda; None = fitted.
    """
    kept = items_read(learning.model, learning.retained)

    def left(part: float) -> State:
        return without_lost_items(difference(learning.original, alone, part), learning.initial, kept)

    if share is not None:
        return left(share)
    rule = ForgettingStopping(learning)
    if not rule.looks:
        return left(_UNFITTED)
    for state in (learning.start, *map(left, SHARES)):
        rule.offer(state)
    return rule.state


def difference(one: State, other: State, share: float) -> State:
    """The adapter that adds what `one` adds and takes away a share of what `other` adds, as near as their rank allows.

    Of a layer the product is B A. Item rows have one B, `item_frame`: there it is the difference of A, exactly.
    """
    left: State = {}
    for name in one:
        if name.endswith(".A") and name != ITEMS_A:
            b = name.removesuffix("A") + "B"
            left[b], left[name] = _nearest(one[b], one[name], other[b], other[name], share)
    if ITEMS_A in one:
        left |= {ITEMS_B: one[ITEMS_B], **_item_rows(one, other, share)}
    return {name: left[name] for name in one}


def _item_rows(one: State, other: State, share: float) -> State:
    """A and the items it is of."""
    mine, theirs = to_arrays(one), to_arrays(other)
    items = union([mine, theirs])
    return to_state(with_rows({}, items, rows_of(mine, items) - np.float32(share) * rows_of(theirs, items)))


def _nearest(tall: Tensor, wide: Tensor, tall_f: Tensor, wide_f: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """(m, r) and (r, n) with the product nearest to tall wide - share tall_f wide_f, evenly long, of rank r."""
    rank = wide.shape[0]
    q, up = torch.linalg.qr(torch.cat([tall, -share * tall_f], 1))
    p, down = torch.linalg.qr(torch.cat([wide, wide_f]).mT)
    u, values, v = torch.linalg.svd(up @ down.mT)
    root = values[:rank].sqrt()
    return (q @ u[:, :rank] * root).contiguous(), (root[:, None] * (v[:rank] @ p.mT)).contiguous()
