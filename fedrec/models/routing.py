"""Which adapters of a bank answer which rows, and the mathematics of it.

With the K adapters of a layer stacked as A (K, r, in) and B (K, r, out), B_k transposed, every routing comes to one
pair of matmuls, `y = W x + s U`: it compresses x to a few numbers s, and names the matrix U that takes s up again.

    one       s = A_k x                      U = B_k
    rows      s = A_k(row) x                 U = B_k(row), one for each row of the batch
    mixed ND  s = [w_k A_k x]_k              U = [B_k]_k       y = W x + Σ_k w_k B_k A_k x
    mixed D   s = [w_k Σ_l w_l A_l x]_k      U = [B_k]_k       y = W x + (Σ_k w_k B_k)(Σ_l w_l A_l) x

(algorithms.md 2.3; APA, Hu et al. 2024.) [·]_k stacks the K adapters along the rank, which is how A and B lie in
memory already: nothing is copied, and no matrix per row is built for a mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear


@dataclass(frozen=True, eq=False)
class Routed:
    """Rows that use one adapter each.

    Attributes:
        index: the adapter of all rows; or (batch,) int64, the adapter of each row.
    """

    index: int | Tensor

    def ready(self, width: int, device: torch.device) -> Routed:
        """The same for a bank of `width` adapters on `device`; IndexError where an adapter does not exist."""
        if isinstance(self.index, int):
            if not 0 <= self.index < width:
                raise IndexError(f"adapter {self.index} of a bank of {width}")
            return self
        if self.index.ndim != 1 or not len(self.index) or self.index.dtype != torch.long:
            raise ValueError(f"row indices must be (batch,) int64, not {tuple(self.index.shape)} {self.index.dtype}")
        low, high = self.index.aminmax()
        if low < 0 or high >= width:
            raise IndexError(f"rows routed to adapters {int(low)} to {int(high)} of a bank of {width}")
        return Routed(self.index.to(device))

    def take(self, rows: Tensor) -> Routed:
        """The routing of some of the rows, (k,) int64."""
        return self if isinstance(self.index, int) else Routed(self.index[rows])

    def factors(self, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """s and U for inputs x (..., in): s (..., r), U (r, out), or with a leading batch each."""
        if isinstance(self.index, int):
            return linear(x, a[self.index].to(x.dtype)), b[self.index].to(x.dtype)
        down, up = _look_up(a, self.index), _look_up(b, self.index)
        return by_row(x, len(self.index)) @ down.to(x.dtype).mT, up.to(x.dtype)

    def looked_up(self, place: Tensor, here: Tensor, a: Tensor, b: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """As `factors`, with rows of A in place of A x.

        Args:
            place: (batch, t) int64 rows of each A; here: (batch, t) where there is one, elsewhere s is zero.
            a: (K, m, r); b: (K, r, out).
        """
        if isinstance(self.index, int):
            return _rows_of(a[self.index], place, here).to(dtype), b[self.index].to(dtype)
        s = _rows_of(a.flatten(0, 1), place + self.index[:, None] * a.shape[1], here)
        return s.to(dtype), _look_up(b, self.index).to(dtype)


@dataclass(frozen=True, eq=False)
class Mixed:
    """Rows that use all adapters, weighted.

    Attributes:
        weights: (K,) for all rows, or (batch, K); they need not sum to 1.
        form: "ND" mixes the products B_k A_k (the exact mean of the changes of W), "D" the factors A_k and B_k.
    """

    weights: Tensor
    form: Literal["ND", "D"] = "ND"

    def ready(self, width: int, device: torch.device) -> Mixed:
        """The same for a bank of `width` adapters on `device`; ValueError where the weights do not fit it."""
        if self.weights.ndim not in (1, 2) or self.weights.shape[-1] != width:
            raise ValueError(f"weights {tuple(self.weights.shape)} over a bank of {width}: must be (K,) or (batch, K)")
        return Mixed(self.weights.to(device), self.form)

    def take(self, rows: Tensor) -> Mixed:
        """The routing of some of the rows, (k,) int64."""
        return self if self.weights.ndim == 1 else Mixed(self.weights[rows], self.form)

    def factors(self, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """s (..., K r) and U (K r, out) for inputs x (..., in)."""
        weights = self.weights.to(x.dtype).unsqueeze(-1)
        if weights.ndim == 3:
            x, weights = by_row(x, len(weights)), weights.unsqueeze(1)
        s = linear(x, a.flatten(0, 1).to(x.dtype))
        return self._mixed(s.view(*s.shape[:-1], *a.shape[:2]), weights), b.flatten(0, 1).to(x.dtype)

    def looked_up(self, place: Tensor, here: Tensor, a: Tensor, b: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """As `Routed.looked_up`."""
        weights = self.weights.to(dtype).unsqueeze(-1)
        weights = weights.unsqueeze(1) if weights.ndim == 3 else weights
        s = torch.stack([_rows_of(each, place, here).to(dtype) for each in a], -2)
        return self._mixed(s, weights), b.flatten(0, 1).to(dtype)

    def _mixed(self, s: Tensor, weights: Tensor) -> Tensor:
        """(..., K r): each adapter's s (..., K, r), or with form D their sum, times its weight."""
        s = s * weights
        if self.form == "D":
            s = s.sum(-2, keepdim=True) * weights
        return s.flatten(-2)


Routing = Routed | Mixed


def add(y: Tensor, s: Tensor, up: Tensor, scale: float) -> Tensor:
    """y + scale · s U, fused; y (..., out), s (..., R), U (R, out) or (batch, R, out)."""
    if up.ndim == 2:
        return torch.addmm(y.flatten(0, -2), s.flatten(0, -2), up, alpha=scale).view(y.shape)
    return torch.baddbmm(by_row(y, len(up)), s, up, alpha=scale).view(y.shape)


def by_row(x: Tensor, rows: int) -> Tensor:
    """(..., n) as (rows, positions, n): some models (OPT) flatten batch and positions before a layer.

    Raises:
        ValueError: x is not a batch of so many rows.
    """
    if (len(x) != rows) if x.ndim > 2 else (len(x) % rows):
        raise ValueError(f"an input of shape {tuple(x.shape)} under a routing of {rows} rows")
    return x.reshape(rows, -1, x.shape[-1])


def _rows_of(a: Tensor, place: Tensor, here: Tensor) -> Tensor:
    """(batch, t, r) of A (m, r); zero where there is none."""
    return embedding(place, a) * here.unsqueeze(-1)


def _look_up(stack: Tensor, index: Tensor) -> Tensor:
    """stack[index]; as an embedding, because its gradient adds up in a fixed order on CPU and GPU alike."""
    return embedding(index, stack.flatten(1)).view(-1, *stack.shape[1:])
