"""Made-up tokens to try a base model on: what it does is found out, because no list of families would stay true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fedrec.hardware import autocast
from fedrec.models.banks_in_use import using
from fedrec.models.base import context_of

_ROWS, _LENGTH = 2, 14
_AGREE = 1e-3  # how far two ways of computing the same may be apart, as a part of the largest number


def tokens(model: Any) -> Tensor:
    """(2, t) tokens of a model's vocabulary, always the same; as many as it can read, if those are few.

    The one for padding is among them, which RoBERTa gives no position: a history may hold it by chance.
    """
    embedding, length = model.get_input_embeddings().weight, min(_LENGTH, context_of(model.config))
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(len(embedding), (_ROWS, length), generator=generator)
    padding = getattr(model.config.get_text_config(decoder=True), "pad_token_id", None)
    if padding is not None and 0 <= padding < len(embedding):
        ids[:, 1] = padding
    return ids.to(embedding.device)


@contextmanager
def alone(model: nn.Module) -> Iterator[None]:
    """Within this block the model computes without any adapters, in the precision its weights are kept in."""
    halves = any(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
    with using({}), autocast(next(model.parameters()).device, "bf16" if halves else "fp32"):
        yield


def same(one: Tensor, other: Tensor, agree: float = _AGREE) -> bool:
    """Whether two tensors are equal but for the rounding of fp32."""
    one, other = one.float(), other.float()
    scale = float(one.abs().max().clamp(min=1e-6))
    return one.shape == other.shape and bool(((one - other).abs() <= agree * scale).all())
