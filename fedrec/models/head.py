"""The logits of the two answer tokens, from hidden states at the answer positions only.

A plain head is linear, and two of its rows will do. Families scale, cap or transform what theirs gives (Granite,
Gemma 2, RoBERTa): there the model's own forward runs behind its body, on the answer positions alone.
"""

from __future__ import annotations

from copy import copy
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from fedrec.models.banks_in_use import using
from fedrec.models.body import body

_PLAIN: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
_TRIED = 4  # hidden states by which a head shows whether it is plain
_LARGE = 1000.0  # their largest logit, far above any cap


def answer_logits(model: Any, hidden: Tensor, answers: tuple[int, ...]) -> Tensor:
    """(n, t) logits of the t answer tokens after hidden states (n, d), as the whole model would give them, fp32."""
    chosen = torch.tensor(answers, device=hidden.device)
    if is_plain(model):
        return _linear(model.get_output_embeddings(), hidden, chosen)
    return own_logits(model, hidden.float())[:, chosen].float()


def is_plain(model: Any) -> bool:
    """Whether the logits are the output embedding's, and nothing else is done to them; tried out once a model."""
    if model not in _PLAIN:
        _PLAIN[model] = _tried(model)
    return _PLAIN[model]


def own_logits(model: Any, hidden: Tensor) -> Tensor:
    """(n, vocabulary) logits that the model's own forward makes of its body's last hidden states (n, d)."""
    ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
    logits: Tensor = _behind(model, body(model), hidden[None])(input_ids=ids).logits
    return logits[0]


@torch.no_grad()
def _tried(model: Any) -> bool:
    head = model.get_output_embeddings()
    weight = head.weight
    hidden = torch.randn(_TRIED, weight.shape[1], generator=torch.Generator().manual_seed(0)).to(weight.device)
    everything = torch.arange(len(weight), device=weight.device)
    hidden *= _LARGE / _linear(head, hidden, everything).abs().max()
    plain = _linear(head, hidden, everything)
    try:
        with using({}), torch.autocast(weight.device.type, enabled=False):
            own = own_logits(model, hidden).float()
    except Exception:  # a forward that wants more than last states, or another precision: it is asked again when needed
        return False
    return plain.shape == own.shape and torch.allclose(plain, own, rtol=1e-4, atol=1e-6 * _LARGE)


def _linear(head: Any, hidden: Tensor, chosen: Tensor) -> Tensor:
    bias = None if getattr(head, "bias", None) is None else head.bias[chosen].float()
    return nn.functional.linear(hidden.float(), head.weight[chosen].float(), bias)


def _behind(module: nn.Module, read: nn.Module, hidden: Tensor) -> nn.Module:
    """The module with a body that has read already, sharing all the rest; it stays as it is, for other threads too."""
    twin = copy(module)
    if module is read:
        twin.forward = lambda *_, **__: _Read(last_hidden_state=hidden)
        return twin
    for name, child in module.named_children():
        if any(inner is read for inner in child.modules()):
            twin._modules = {**module._modules, name: _behind(child, read, hidden)}
            return twin
    raise ValueError(f"{type(read).__name__} is no part of {type(module).__name__}")


class _Read(BaseModelOutputWithPast):
    """What a body returns, without all that heads pass on and none computes with (router logits, cross attentions)."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
