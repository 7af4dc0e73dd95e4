"""Public item vectors: what the frozen base model makes of a title."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fedrec.data.prompts import encode_titles
from fedrec.hardware import autocast
from fedrec.models.base import Base, width_of
from fedrec.models.body import hidden_states

_BATCH = 64


@torch.inference_mode()
def item_vectors(base: Base, titles: Sequence[str]) -> NDArray[np.float32]:
    """(m, d): the mean of the last hidden states over each title's tokens."""
    tokens = encode_titles(base.tokenizer, tuple(titles), 64)
    device = next(base.model.parameters()).device
    vectors = np.empty((len(tokens), width_of(base.model)), np.float32)
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    for low in range(0, len(order), _BATCH):
        chosen = order[low : low + _BATCH]
        lengths = torch.tensor([len(tokens[i]) for i in chosen])
        ids = torch.zeros(len(chosen), int(lengths.max()), dtype=torch.long)
        for row, i in enumerate(chosen):
            ids[row, : len(tokens[i])] = torch.tensor(tokens[i])
        with autocast(device, base.precision):
            hidden = hidden_states(base.model, ids.to(device)).float().cpu()
        inside = torch.arange(ids.shape[1]) < lengths[:, None]
        vectors[chosen] = ((hidden * inside[..., None]).sum(1) / lengths[:, None]).numpy()
    return vectors
