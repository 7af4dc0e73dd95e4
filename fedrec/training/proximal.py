"""The proximal term mu/2 |theta - anchor|^2 (FedProx, Li et al. 2020), as a gradient beside that of the loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def add_pull(parameters: Sequence[Tensor], anchors: Sequence[Tensor], mu: float) -> None:
    """Add its gradient to that of each parameter; without anchors there is no such term."""
    for parameter, centre in zip(parameters, anchors, strict=bool(anchors)):
        if parameter.grad is None:  # no token of this batch came by its layer, such as an expert
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad.add_(parameter.detach() - centre, alpha=mu)
