"""Attention on a CPU in plain matmuls, where torch's fused kernel takes longer: in training, and behind a shared past.

softmax(Q K' / sqrt(d) + mask) V of whole sequences, with its t x t scores laid out in memory, where gradients are
wanted; `shared_past` for continuations of one past. Everything else (a GPU, no gradients, masks of the model's own,
very long sequences) goes to `scaled_dot_product_attention`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, PretrainedConfig
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from fedrec.models import shared_past
from fedrec.models.body import body

NAME = "fedrec_matmul"
_LONGEST = 1024
_OTHERS = ("dropout", "sliding_window", "softcap", "s_aux", "position_bias")  # more than these matmuls compute


def use_matmul_attention(model: Any) -> None:
    """Make a model's body on a CPU use it, if it would use torch's fused attention."""
    reads = body(model)
    if model.device.type == "cpu" and reads.config._attn_implementation == "sdpa":
        reads.set_attn_implementation(NAME)


def is_used(model: Any) -> bool:
    """Whether a model's body computes with it."""
    return getattr(body(model).config, "_attn_implementation", None) == NAME


def use_fused_attention(config: PretrainedConfig) -> None:
    """Undo `use_matmul_attention` in a configuration, before another model is made of it."""
    for settings in (config, *(getattr(config, name) for name in config.sub_configs)):
        if getattr(settings, "_attn_implementation", None) == NAME:
            settings._attn_implementation = "sdpa"


def attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    """(b, t, heads, d) for queries (b, heads, t, d), keys and values (b, groups, t, d); transformers' interface."""
    t = query.shape[2]
    others = any(_is_set(settings.get(name)) for name in _OTHERS)
    scale = settings.get("scaling") or query.shape[-1] ** -0.5
    if (past := shared_past.past_of(key)) is not None:
        if not others and shared_past.sees_all(attention_mask, t, past[0].shape[2]):
            return shared_past.attention(query, key, value, past, scale), None
        key, value = shared_past.joined(past, key, value)
    fused = (
        not (torch.is_grad_enabled() and query.requires_grad)
        or attention_mask is not None
        or not getattr(module, "is_causal", True)
        or not 1 < t == key.shape[2] <= _LONGEST
        or query.device.type != "cpu"
        or others
    )
    if fused:
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
        return out, None
    groups = query.shape[1] // key.shape[1]
    q, k, v = (x.flatten(0, 1) for x in (query, repeat_kv(key, groups), repeat_kv(value, groups)))
    scores = torch.baddbmm(_causal(t, q.dtype).expand(len(q), t, t), q, k.mT, alpha=scale)
    mixed = torch.softmax(scores, -1) @ v
    return mixed.view(query.shape[:-1] + value.shape[-1:]).transpose(1, 2).contiguous(), None


def _is_set(setting: Any) -> bool:
    return isinstance(setting, Tensor) or bool(setting)


@lru_cache(maxsize=64)
def _causal(t: int, dtype: torch.dtype) -> Tensor:
    """(t, t): 0 where a position may look, -inf where it may not."""
    return torch.full((t, t), -torch.inf, dtype=dtype).triu(1)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
