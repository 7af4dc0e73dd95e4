"""What adapters add to the rows of item tokens: LoRA of the embedding, A (items, r) and B (r, d).

    row of item i = content of its title + scale A_i B

A begins at zero, so that an item nobody has met is what its text says. With K adapters stacked, a routing mixes the
rows as it mixes a linear layer's products (`fedrec.models.routing`), with A_i in place of A x. The form of an
adapter's own rows is `fedrec.protocol.item_rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fedrec.models.item_tokens import ItemTokens
from fedrec.models.routing import Routing, add
from fedrec.protocol import item_rows
from fedrec.protocol.adapters import ITEM_ROWS, ITEMS_A, ITEMS_B, ROWS
from fedrec.protocol.adapters import State as Arrays


def learnt_items(states: Iterable[Mapping[str, Tensor]]) -> Tensor:
    """(m,) the items that any of the adapters has a row of, rising: all that a bank needs that does not learn."""
    return torch.from_numpy(item_rows.union(_arrays(state) for state in states if ROWS in state))


class ItemStack(nn.Module):
    """The item rows of K adapters: A (K, m, r), B (K, r, d), fp32.

    Attributes:
        rows: (m,) int64 the items that have one here, rising; None = all. Others are what their text says, and cost
            nothing: who trains holds those that its rows name.
    """

    rows: Tensor | None

    def __init__(self, tokens: ItemTokens, embedding: nn.Module, width: int, rows: Tensor | None) -> None:
        super().__init__()
        device = next(embedding.parameters()).device
        self.scale = tokens.scale * float(getattr(embedding, "embed_scale", 1.0))  # Gemma scales what it looks up
        self.tokens = tokens
        self.register_buffer("rows", None if rows is None else rows.to(device, torch.int64), persistent=False)
        self._items = np.arange(tokens.count, dtype=np.int32) if rows is None else rows.cpu().numpy().astype(np.int32)
        self.A = nn.Parameter(torch.zeros(width, len(self._items), tokens.rank, device=device))
        self.B = nn.Parameter(torch.zeros(width, tokens.rank, tokens.width, device=device), requires_grad=False)
        self._left_out: Tensor | None = None
        self._loaded: list[Arrays] = [{}] * width  # for their rows of items that have none here

    @torch.no_grad()
    def load(self, k: int, state: Mapping[str, Tensor]) -> None:
        """Overwrite adapter k."""
        self._loaded[k] = _arrays(state)
        self.A[k].copy_(torch.from_numpy(item_rows.rows_of(self._loaded[k], self._items)))
        self.B[k].copy_(state[ITEMS_B])

    @torch.no_grad()
    def state(self, k: int) -> dict[str, Tensor]:
        """A copy of adapter k's item rows, on the CPU."""
        found = item_rows.with_some(self._loaded[k], self._items, self.A[k].to("cpu", copy=True).numpy())
        rows = {key: torch.from_numpy(found[key]) for key in (ITEMS_A, ROWS)}
        return {**rows, ITEMS_B: self.B[k].to("cpu", copy=True)}

    @torch.no_grad()
    def copy(self, other: ItemStack, chosen: Sequence[int]) -> None:
        """Overwrite all adapters: k with the k-th chosen one of a stack of the same items."""
        index = torch.tensor(chosen, device=self.A.device)
        self.A.copy_(other.A[index])
        self.B.copy_(other.B[index])
        self._loaded = [other._loaded[k] for k in chosen]

    @contextmanager
    def leaving_out(self, part: Tensor) -> Iterator[None]:
        """Within this block, (b, t) numbers are taken off the first of A where a batch reads it."""
        self._left_out = part
        try:
            yield
        finally:
            self._left_out = None

    def forward(self, ids: Tensor, y: Tensor, routing: Routing) -> Tensor:
        """y (b, t, d), the embeddings of token ids (b, t), plus what the adapters have learnt of the items there."""
        item = ids - self.tokens.first
        here = item >= 0
        if not len(self._items) or not here.any():
            return y
        if self.rows is None:
            place = item.clamp(min=0)
        else:
            place = torch.searchsorted(self.rows, item).clamp(max=len(self.rows) - 1)
            here &= self.rows[place] == item
        s, up = routing.looked_up(place, here, self.A, self.B, y.dtype)
        if self._left_out is not None:
            s = s - functional.pad(self._left_out.unsqueeze(-1).to(s), (0, s.shape[-1] - 1))
        return add(y, s, up, self.scale)


def _arrays(state: Mapping[str, Tensor]) -> Arrays:
    return {key: state[key].detach().cpu().numpy() for key in ITEM_ROWS}
