"""An adapter as data: targets, initialisation, vector and hash."""

import math

import peft
import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from fedrec.config import LoraConfig
from fedrec.errors import UsageError
from fedrec.models.adapter import initial_state, state_hash, target_layers
from tests.models.tiny import FAMILIES, tiny_model

CONFIG = LoraConfig(rank=2)
SOME = {"llama": "q_proj,mlp.up_proj", "qwen2": "v_proj", "gpt2": "c_attn, c_proj", "opt": "fc1", "gemma": "o_proj"}


@pytest.mark.parametrize("family", FAMILIES)
def test_targets_and_shapes_are_pefts(family):
    model = tiny_model(family)
    for targets in ("all-linear", SOME[family]):
        names = targets if targets == "all-linear" else [name.strip() for name in targets.split(",")]
        ours = target_layers(model, targets)
        theirs = peft.get_peft_model(
            tiny_model(family), peft.LoraConfig(target_modules=names, fan_in_fan_out=family == "gpt2")
        )
        expected = {
            name.removeprefix("base_model.model."): (layer.in_features, layer.out_features)
            for name, layer in theirs.named_modules()
            if isinstance(layer, peft.tuners.lora.LoraLayer)
        }
        assert ours == expected
        assert list(ours) == list(expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_on_the_meta_device_will_do(family):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(FAMILIES[family])
    assert target_layers(model, "all-linear") == target_layers(tiny_model(family), "all-linear")
    assert state_hash(initial_state(model, CONFIG, 3)) == state_hash(initial_state(tiny_model(family), CONFIG, 3))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("q_proj", "query"), "'query' is no linear layer of this model; there are down_proj, gate_proj, k_proj"),
        (("proj",), "'proj' is no linear layer"),
        (("embed_tokens",), "'embed_tokens' is no linear layer"),
        ("lm_head", "'lm_head' is the output embedding"),
        ("", "'' is no linear layer"),
    ],
)
def test_wrong_targets_are_named(targets, message):
    with pytest.raises(UsageError, match=message) as caught:
        target_layers(tiny_model("llama"), targets)
    assert "\n" not in str(caught.value)


def test_a_model_without_linear_layers_is_refused():
    with pytest.raises(UsageError, match="no linear layer"):
        target_layers(nn.Sequential(nn.Tanh()), "all-linear")


def test_initial_state_depends_on_seed_and_layer_alone():
    model = tiny_model("llama")
    torch.manual_seed(1)
    first = initial_state(model, CONFIG, 7)
    torch.manual_seed(2)
    drawn = torch.random.get_rng_state()
    assert state_hash(initial_state(model, CONFIG, 7)) == state_hash(first)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert state_hash(initial_state(model, CONFIG, 8)) != state_hash(first)
    few = initial_state(model, LoraConfig(rank=2, targets=("v_proj",)), 7)
    assert len(few) == 4
    assert all(torch.equal(few[key], first[key]) for key in few)
    tops = [tensor for key, tensor in first.items() if key.endswith(".A")]
    assert len({tensor.sum().item() for tensor in tops}) == len(tops)


def test_initial_state_has_pefts_distribution():
    """A is uniform in ±1/√in, B is zero."""
    state = initial_state(nn.Sequential(nn.Linear(400, 3)), LoraConfig(rank=50), 0)
    assert not state["0.B"].any()
    assert state["0.A"].abs().max() <= 1 / math.sqrt(400)
    assert abs(state["0.A"].std().item() * math.sqrt(3 * 400) - 1) < 0.02


def test_the_hash_does_not_depend_on_key_order():
    state = {"b.A": torch.tensor([[3.0, 4.0]]), "a.B": torch.tensor([[1.0], [2.0]])}
    assert state_hash(state) == state_hash(dict(reversed(state.items())))


def test_hash_knows_keys_shapes_and_every_bit():
    state = {"a.A": torch.zeros(2, 3), "a.B": torch.zeros(1, 2)}
    others = [
        {"b.A": state["a.A"], "a.B": state["a.B"]},
        {"a.A": torch.zeros(3, 2), "a.B": state["a.B"]},
        {"a.A": -state["a.A"], "a.B": state["a.B"]},
        {"a.A": state["a.A"]},
    ]
    assert len({state_hash(other) for other in [state, *others]}) == 5
    layout = {"a.A": torch.zeros(3, 2).T, "a.B": state["a.B"]}  # the same numbers, laid out in memory otherwise
    assert state_hash(layout) == state_hash(state)
