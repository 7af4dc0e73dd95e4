"""Attention of many continuations to one past, whose keys and values stay where they are.

    softmax([Q K_past' | Q K_own'] / sqrt(d)) [V_past ; V_own]

The queries of all continuations meet the past's keys in one matmul (Hydragen, Juravsky et al., arXiv 2402.05099);
laid out anew for every continuation, those keys cost more to fetch than to multiply.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Past = tuple[Tensor, Tensor]
"""Keys and values (1, groups, p, d) of what all continuations have before them."""

_MARK = "fedrec_past"


def behind(past: Past, key: Tensor) -> Tensor:
    """Keys (b, groups, t, d) of continuations, marked as having the past before them."""
    setattr(key, _MARK, past)
    return key


def past_of(key: Tensor) -> Past | None:
    """What `behind` marked them with; an operation on the keys loses it, which trying the model out shows."""
    past: Past | None = getattr(key, _MARK, None)
    return past


def sees_all(mask: Tensor | None, t: int, past: int) -> bool:
    """Whether t queries see all of the past and of their own what is before them, by the model's mask."""
    if mask is None:
        return t == 1
    if mask.dtype != torch.bool or mask.shape[-2:] != (t, past + t):
        return False
    own = torch.ones(t, t, dtype=torch.bool, device=mask.device).tril()
    return bool(mask[..., :past].all()) and bool((mask[..., past:] == own).all())


def joined(past: Past, key: Tensor, value: Tensor) -> Past:
    """Keys and values (b, groups, p + t, d), for attention that knows of no shared past."""
    rows = len(key)
    keys, values = (each.expand(rows, -1, -1, -1) for each in past)
    return torch.cat([keys, key], 2), torch.cat([values, value], 2)


def attention(query: Tensor, key: Tensor, value: Tensor, past: Past, scale: float) -> Tensor:
    """(b, t, heads, d) for queries (b, heads, t, d), keys and values (b, groups, t, d) behind a past they all see."""
    b, heads, t, d = query.shape
    groups, before = key.shape[1], past[0].shape[2]
    q = (query * scale).reshape(b, groups, -1, d)  # the heads of a group share its keys: (b, groups, n t, d)
    own = (q @ key.mT).unflatten(2, (-1, t)) + _causal(t, q)
    seen = _at_once(q, past[0].mT).unflatten(2, (-1, t))
    weights = torch.softmax(torch.cat([seen, own], -1), -1).flatten(2, 3).to(value.dtype)
    mixed = _at_once(weights[..., :before], past[1]) + weights[..., before:] @ value
    return mixed.reshape(b, heads, t, -1).transpose(1, 2).contiguous()


def _at_once(rows: Tensor, shared: Tensor) -> Tensor:
    """(b, groups, m, k) for rows (b, groups, m, d) times (1, groups, d, k), in one matmul a group."""
    b, _, m, _ = rows.shape
    product: Tensor = rows.transpose(0, 1).flatten(1, 2) @ shared[0]
    return product.view(len(product), b, m, -1).transpose(0, 1)


def _causal(t: int, like: Any) -> Tensor:
    """(t, t): 0 where a position may look, -inf where it may not."""
    return torch.full((t, t), -torch.inf, dtype=like.dtype, device=like.device).triu(1)
