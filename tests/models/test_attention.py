"""Attention in matmuls: the logits and gradients of the fused kernel, in every family, and only where it is meant."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM

from fedrec.models import attention
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.attention import NAME, use_matmul_attention
from fedrec.models.body import hidden_states
from tests.models.tiny import CONFIG, FAMILIES, close, randomise, tiny_ids, tiny_model


@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_and_gradients_are_those_of_the_fused_kernel(family: str) -> None:
    model = tiny_model(family)
    assert model.config._attn_implementation == "sdpa"
    fused = _trained(model)
    use_matmul_attention(model)
    assert model.config._attn_implementation == NAME
    for one, other in zip(_trained(model), fused, strict=True):
        close(one, other)


def test_it_runs_where_gradients_are_wanted_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")
    use_matmul_attention(model)
    AdapterBank(model, CONFIG).close()  # the first bank tries its layers out, with gradients
    calls: list[int] = []
    causal = attention._causal

    def counted(t: int, dtype: torch.dtype) -> torch.Tensor:
        calls.append(t)
        return causal(t, dtype)

    monkeypatch.setattr(attention, "_causal", counted)
    with torch.no_grad():
        hidden_states(model, tiny_ids())
    assert calls == []
    _trained(model)
    assert set(calls) == {7}
    calls.clear()
    monkeypatch.setattr(attention, "_LONGEST", 6)
    _trained(model)
    assert calls == []


def test_a_model_that_was_asked_for_another_attention_keeps_it() -> None:
    model = AutoModelForCausalLM.from_config(copy.deepcopy(FAMILIES["llama"]), attn_implementation="eager")
    use_matmul_attention(model)
    assert model.config._attn_implementation == "eager"


def _trained(model: torch.nn.Module) -> list[torch.Tensor]:
    """The hidden states, and the gradient of every tensor of a random adapter, of length 1."""
    with AdapterBank(model, CONFIG) as bank:
        randomise(bank)
        with bank.use(Routed(0)):
            hidden = hidden_states(model, tiny_ids())
        (hidden * torch.linspace(-1, 1, hidden.numel()).view(hidden.shape)).sum().backward()
        gradients = [parameter.grad for parameter in bank.parameters()]
        length = torch.stack([gradient.norm() for gradient in gradients]).norm()
        return [hidden.detach(), *(gradient / length for gradient in gradients)]
