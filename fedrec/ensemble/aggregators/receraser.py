"""RecEraser's attention over the sub-models, as it fits frozen ones.

    phi_k = W_k x + b_k,   a_k = softmax_k( h^T ReLU(W phi_k + b) ),   logit = sum_k a_k logit_k

Chen et al., Recommendation Unlearning, arXiv 2201.06820, and the authors' code (algorithms.md 5). There the attention
mixes the sub-models' embeddings and the mixture is scored by an inner product. Here the scoring layer is the frozen
base's, linear and shared: to score the mixture of the shards' last states is to mix their logits, so that is its form.
x is the frozen base's vector of the row (the shards' own would cost K passes before the first answer), standardised
over the validation rows. Learned on the validation rows, which no shard has fitted, by cross-entropy: there are
explicit dislikes, so BPR's pairs are not needed. Nothing of a shard is changed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.aggregators.weights import Weigher
from fedrec.hardware import threads

_WIDTH, _ATTENTION = 64, 32  # of phi and of the hidden layer, as published
_L2 = 1e-5  # on W_k and b_k, as published
_STEPS = 20  # early: 40 at a pace of 0.1 fitted the noise of 500 made-up rows, at 0.003 to 0.018 AUC
_PACE = 0.06  # learning rate times d: Adam moves every entry of W_k by the rate, and phi by d of them
_FLOOR = 1e-7  # as fedrec.metrics clips


def attention(judged: Judged, seed: int) -> Weigher:
    """Learned: from vectors (n, d) to weights (n, K), rows summing to 1. Equal rows and seed give equal bytes.

    Raises:
        FedrecError: there are no validation rows.
    """
    mean, spread = judged.needed().vectors.mean(axis=0), judged.vectors.std(axis=0)

    def features(vectors: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy((vectors - mean) / np.where(spread > 0, spread, 1)).double()

    logits = torch.from_numpy(logit(np.clip(judged.scores, _FLOOR, 1 - _FLOOR)))
    labels = torch.from_numpy(judged.labels).double()
    model = _Attention(judged.vectors.shape[1], judged.shards, seed)
    with threads(1):  # the order of adding depends on their number
        _fit(model, features(judged.vectors), logits, labels)

    def weigh(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        with threads(1), torch.no_grad():
            weights: NDArray[np.float64] = model(features(vectors)).numpy()
        return weights

    return weigh


class _Attention(torch.nn.Module):
    """Weights (n, K) of K sub-models for features (n, d); equal for every shard before the first step."""

    def __init__(self, features: int, shards: int, seed: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        shared = _glorot(features, _WIDTH, random)  # one draw for all W_k: no shard is favoured by its number
        self.transfer = torch.nn.Parameter(shared.repeat(shards, 1, 1))
        self.offset = torch.nn.Parameter(torch.zeros(shards, _WIDTH).double())
        self.hidden = torch.nn.Parameter(_glorot(_WIDTH, _ATTENTION, random))
        self.bias = torch.nn.Parameter(torch.zeros(_ATTENTION).double())
        self.out = torch.nn.Parameter(torch.full((_ATTENTION,), 0.01).double())

    def forward(self, x: Tensor) -> Tensor:
        phi = torch.einsum("nd,kdw->nkw", x, self.transfer) + self.offset
        weights: Tensor = torch.softmax(torch.relu(phi @ self.hidden + self.bias) @ self.out, dim=1)
        return weights


def _fit(model: _Attention, x: Tensor, logits: Tensor, labels: Tensor) -> None:
    """A fixed number of full-batch steps of Adam on validation features (v, d), logits (v, K) and labels (v,)."""
    optimiser = torch.optim.Adam(model.parameters(), lr=_PACE / x.shape[1])
    for _ in range(_STEPS):
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits((model(x) * logits).sum(1), labels)
        penalty = model.transfer.square().sum() + model.offset.square().sum()
        (loss + _L2 / 2 * penalty).backward()
        optimiser.step()


def _glorot(rows: int, columns: int, random: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=random).double().mul((2 / (rows + columns)) ** 0.5)
