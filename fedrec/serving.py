"""A served model: the adapters of S shards over one base, answering together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from fedrec.config import RunConfig
from fedrec.data.prompts import PromptEncoder
from fedrec.models.bank import AdapterBank, Mixed, Routed, Routing

if TYPE_CHECKING:
    from fedrec.models.base import Base
    from fedrec.store import Run


@contextmanager
def serving(
    model: torch.nn.Module, config: RunConfig, shards: Sequence[dict[str, torch.Tensor]]
) -> Iterator[tuple[AdapterBank, Routing]]:
    """A bank of the shards' adapters, and the routing that lets them answer with equal weights (APA, ND form)."""
    width = len(shards)
    with AdapterBank(model, config.lora, width=width) as bank:
        for k, state in enumerate(shards):
            bank.load(k, state)
        bank.eval()
        yield bank, Routed(0) if width == 1 else Mixed(torch.full((width,), 1 / width), form="ND")


def encoder_of(run: Run, base: Base) -> PromptEncoder:
    """How the run's timelines become tokens of its base model."""
    return PromptEncoder(base.tokenizer, run.catalogue.titles, run.config.prompt, base.context)


def model_hash(adapters: Sequence[str]) -> str:
    """SHA-256 of a model from the hashes of its adapters, in order."""
    return hashlib.sha256("\n".join(adapters).encode()).hexdigest()
