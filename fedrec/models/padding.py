"""A batch of windows as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fedrec.data.prompts import Window


def pad(windows: Sequence[Window], device: torch.device) -> Tensor:
    """(b, t) token ids, padded on the right with 0: causal attention never looks there."""
    ids = torch.zeros(len(windows), max(len(window.ids) for window in windows), dtype=torch.long)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = torch.from_numpy(window.ids)
    return ids.to(device)


def answer_positions(windows: Sequence[Window], device: torch.device) -> tuple[Tensor, Tensor]:
    """(row, position) of every answer of a padded batch, to index its hidden states with."""
    rows = np.repeat(np.arange(len(windows)), [len(window.at) for window in windows])
    at = np.concatenate([window.at for window in windows])
    return torch.from_numpy(rows).to(device), torch.from_numpy(at).to(device)
