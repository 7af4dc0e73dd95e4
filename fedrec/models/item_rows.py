"""What adapters add to the rows of item tokens: LoRA of the embedding, A (items, r) and B (r, d).

    row of item i = content of its title + scale A_i B

A begins at zero, so that an item nobody has met is what its text says. With K adapters stacked, a routing mixes the
rows as it mixes a linear layer's products (`fedrec.models.routing`), with A_i in place of A x.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fedrec.models.item_tokens import ItemTokens
from fedrec.models.routing import Routing, add


class ItemStack(nn.Module):
    """The item rows of K adapters: A (K, m, r), B (K, r, d), fp32.

    Attributes:
        rows: (m,) the items that have one here, rising; None = all. Others are what their text says, and cost nothing:
            who trains holds those that its rows name.
    """

    rows: Tensor | None

    def __init__(self, tokens: ItemTokens, embedding: nn.Module, width: int, rows: Tensor | None) -> None:
        super().__init__()
        device = next(embedding.parameters()).device
        self.scale = tokens.scale * float(getattr(embedding, "embed_scale", 1.0))  # Gemma scales what it looks up
        self.tokens = tokens
        self.register_buffer("rows", None if rows is None else rows.to(device), persistent=False)
        count = tokens.count if rows is None else len(rows)
        self.A = nn.Parameter(torch.zeros(width, count, tokens.rank, device=device))
        self.B = nn.Parameter(torch.zeros(width, tokens.rank, tokens.width, device=device))
        self._others = [torch.zeros(()).expand(tokens.count, tokens.rank)] * width  # of the items that have none here

    @torch.no_grad()
    def load(self, k: int, a: Tensor, b: Tensor) -> None:
        """Overwrite adapter k by A (items, r) and B (r, d)."""
        self.A[k].copy_(a if self.rows is None else a[self.rows.to(a.device)])
        self.B[k].copy_(b)
        if self.rows is not None:
            self._others[k] = a

    @torch.no_grad()
    def whole(self, k: int) -> tuple[Tensor, Tensor]:
        """A copy of adapter k: A (items, r) and B (r, d), fp32 on the CPU."""
        a, b = self.A[k].to("cpu", copy=True), self.B[k].to("cpu", copy=True)
        if self.rows is None:
            return a, b
        every = self._others[k].to("cpu", copy=True, memory_format=torch.contiguous_format)
        every[self.rows.cpu()] = a
        return every, b

    def forward(self, ids: Tensor, y: Tensor, routing: Routing) -> Tensor:
        """y (b, t, d), the embeddings of token ids (b, t), plus what the adapters have learnt of the items there."""
        item = ids - self.tokens.first
        here = item >= 0
        if not here.any():
            return y
        if self.rows is None:
            place = item.clamp(min=0)
        else:
            place = torch.searchsorted(self.rows, item).clamp(max=len(self.rows) - 1)
            here &= self.rows[place] == item
        s, up = routing.looked_up(place, here, self.A, self.B, y.dtype)
        return add(y, s, up, self.scale)
