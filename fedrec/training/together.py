"""Many adapters trained at once, as one routed bank: in each step a batch of every lesson, in one pass.

What each learns is what it would learn alone (`fedrec.training.loop`), to float tolerance: its rows meet its own slot,
its loss is the mean over its own rows, and its gradient is clipped by itself. One learning rate serves all: the
schedule is that of the longest lesson, which shorter ones follow too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import torch
from torch import Tensor
from torch.nn.functional import pad

from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.training.batches import batches
from fedrec.training.item_step import hold_rows, move_rows, shrink_of
from fedrec.training.loop import learning_rate
from fedrec.training.step import Learning, items_read


def train_together(learnings: Sequence[Learning]) -> list[State]:
    """The adapter of each lesson after its last step; of none without windows, its start.

    Args:
        learnings: over one base, with equal settings; nothing stops them early, and nothing pulls them.
    """
    first, states = learnings[0], [each.start for each in learnings]
    read = items_read(first.model, [window for each in learnings for window in each.lesson.windows])
    schedules = [list(batches(each.lesson, each.config)) for each in learnings]
    steps = max(map(len, schedules))
    with (
        torch.random.fork_rng(devices=[]),
        AdapterBank(first.model, first.lora, width=len(learnings), items=read) as bank,
    ):
        torch.manual_seed(first.lesson.seed)
        for slot, each in enumerate(learnings):
            bank.load(slot, each.start)
        bank.train()
        config, layers = first.config, bank.layer_parameters()
        hold_rows(bank, config)
        optimiser = torch.optim.AdamW(layers, lr=config.lr, weight_decay=config.weight_decay, fused=True)
        shrink = [shrink_of(config, each.lesson, max(1, len(s))) for each, s in zip(learnings, schedules, strict=True)]
        for number, turn in enumerate(zip_longest(*schedules, fillvalue=[])):
            rate = learning_rate(config, number, steps, 0, 1)
            for group in optimiser.param_groups:
                group["lr"] = rate
            _losses(learnings, bank, turn).sum().backward()
            answers = [sum(len(window.rows) for window in batch) for batch in turn]
            move_rows(bank, config, rate, answers, shrink)
            _clip(layers, config.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            for slot, schedule in enumerate(schedules):
                if number == len(schedule) - 1:  # later steps of others move it, but it is taken as it is now
                    states[slot] = bank.state(slot)
    return states


def _losses(learnings: Sequence[Learning], bank: AdapterBank, turn: Sequence[list[Window]]) -> Tensor:
    """(K',) each lesson's mean over the rows of its batch, of those that have one, in one pass."""
    taking = [slot for slot, batch in enumerate(turn) if batch]
    windows = [window for slot in taking for window in turn[slot]]
    slots = torch.tensor([slot for slot in taking for _ in turn[slot]])
    own = _own_parts([learnings[slot].own_parts(turn[slot]) for slot in taking], windows)
    logits = learnings[0].logits(windows, bank, Routed(slots), own)
    rows = [sum(len(window.rows) for window in turn[slot]) for slot in taking]
    return torch.stack(
        [
            learnings[slot].lesson.readout.loss(said, learnings[slot].labels(turn[slot]).to(said.device))
            for slot, said in zip(taking, logits.split(rows), strict=True)
        ]
    )


def _own_parts(found: Sequence[Tensor | None], windows: Sequence[Window]) -> Tensor | None:
    """Those of all lessons, one under another."""
    longest, parts = max(len(window.ids) for window in windows), [each for each in found if each is not None]
    if not parts:
        return None
    return torch.cat([pad(each, (0, longest - each.shape[1])) for each in parts])


def _clip(parameters: Sequence[Tensor], longest: float) -> None:
    """Shorten each slot's gradient, of all these parameters together, as `clip_grad_norm_` does one's."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    if not gradients:
        return
    lengths = torch.stack([each.flatten(1).norm(dim=1) for each in gradients]).norm(dim=0)
    shrink = (longest / (lengths + 1e-6)).clamp(max=1.0)
    for each in gradients:
        each.mul_(shrink.view(-1, *[1] * (each.ndim - 1)))
