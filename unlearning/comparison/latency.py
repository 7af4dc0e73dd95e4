"""What an answer costs: seconds per row, by the number of shards and the way they answer together.

ND, D    adapters mixed in one pass, every window with weights of its own
passes   one pass for each shard, as SISA does
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from fedrec.config import LoraConfig
from fedrec.data.prompts import Window
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed, Routing
from fedrec.models.base import Base
from fedrec.scoring import score_windows
from fedrec.tasks.task import Readout

FORMS = ("ND", "D", "passes")
SHARDS = (1, 4, 8, 16)
_REPEATS = 3


def seconds_per_row(
    base: Base, lora: LoraConfig, windows: Sequence[Window], readout: Readout, shards: int, form: str
) -> float:
    """The best of some repeats over all windows, after one to warm up."""
    n = int(max(window.rows.max() for window in windows)) + 1
    generator = torch.Generator().manual_seed(0)
    with AdapterBank(base.model, lora, width=shards) as bank:
        bank.eval()
        for k in range(shards):
            bank.load(k, {key: 0.02 * torch.randn(shape, generator=generator) for key, shape in bank.shapes.items()})
        routings: list[Routing] = [Routed(k) for k in range(shards)]
        if form != "passes":
            weights = torch.rand(len(windows), shards, generator=generator)
            routings = [Mixed(weights / weights.sum(1, keepdim=True), "D" if form == "D" else "ND")]
        taken = []
        for _ in range(1 + _REPEATS):
            began = time.perf_counter()
            for routing in routings:
                score_windows(base.model, windows, readout, n, bank=bank, routing=routing, precision=base.precision)
            taken.append(time.perf_counter() - began)
    return min(taken[1:]) / sum(len(window.rows) for window in windows)
