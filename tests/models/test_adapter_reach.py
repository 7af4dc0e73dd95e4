"""Layers that no adapter can be on are named, with the targets that are left, and these work."""

from __future__ import annotations

import pytest
import torch

from fedrec.config import LoraConfig
from fedrec.errors import UsageError
from fedrec.models.adapter_bank import AdapterBank
from fedrec.models.adapter_reach import check_reach
from fedrec.models.attention import use_matmul_attention
from tests.models.families import family
from tests.models.tiny import tiny_model

NAMED = {
    "mamba": (
        "no adapter can be on dt_proj (backbone.layers.0.mixer.dt_proj: the model uses its weights without the layer); "
        "set lora.targets to in_proj,out_proj,x_proj"
    ),
    "llama4_text": (
        "no adapter can be on router (model.layers.0.feed_forward.router: it makes something else of its input than a "
        "matrix does); set lora.targets to down_proj,gate_proj,k_proj,o_proj,q_proj,up_proj,v_proj"
    ),
    "deepseek_v32": (
        "no adapter can be on weights_proj,wk,wq_b (model.layers.0.self_attn.indexer.wq_b: nothing is learnt of its "
        "output); set lora.targets to down_proj,gate_proj,kv_a_proj_with_mqa,kv_b_proj,o_proj,q_a_proj,q_b_proj,up_proj"
    ),
    "bart": (
        "no adapter can be on encoder_attn.k_proj,encoder_attn.out_proj,encoder_attn.q_proj,encoder_attn.v_proj "
        "(model.decoder.layers.0.encoder_attn.k_proj: no token comes by it); set lora.targets to "
        "fc1,fc2,self_attn.k_proj,self_attn.out_proj,self_attn.q_proj,self_attn.v_proj"
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_the_layers_and_what_is_left_without_them(name: str) -> None:
    model = family(name)
    with pytest.raises(UsageError) as caught:
        AdapterBank(model, LoraConfig(rank=2))
    assert str(caught.value) == f"lora.targets: {NAMED[name]}"
    rest = NAMED[name].rpartition(" to ")[2]
    AdapterBank(model, LoraConfig(rank=2, targets=rest)).close()
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(weight.requires_grad for weight in model.parameters())


def test_a_layer_whose_siblings_are_called_is_let_be() -> None:
    """As an expert is that made-up tokens do not come by: here the MLP of a layer that waits for images."""
    model = family("mllama")
    AdapterBank(model, LoraConfig(rank=2, targets="up_proj")).close()
    with pytest.raises(UsageError, match="no token comes by it"):
        check_reach(model, ["model.layers.3.cross_attn.q_proj"])


def test_layers_are_tried_once_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = tiny_model("llama"), []
    forward = model.model.forward
    monkeypatch.setattr(model.model, "forward", lambda *args, **named: calls.append(1) or forward(*args, **named))
    for _ in range(3):
        AdapterBank(model, LoraConfig(rank=2)).close()
    assert len(calls) == 2


def test_a_model_in_halves_is_tried_in_halves() -> None:
    model = tiny_model("llama")
    for layer in model.model.layers:
        layer.to(torch.bfloat16)
    use_matmul_attention(model)
    AdapterBank(model, LoraConfig(rank=2)).close()
