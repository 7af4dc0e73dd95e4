"""Tiny random models of several families, adapters of them large enough to show, and merged weights to compare with."""

import copy

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
)
from transformers.pytorch_utils import Conv1D

from fedrec.config import LoraConfig
from fedrec.models.adapter import Shapes
from fedrec.models.adapter_bank import AdapterBank, State
from fedrec.protocol.adapters import ITEMS_A, ROWS

CONFIG = LoraConfig(rank=2, alpha=3.0)
SCALE = 1.5  # alpha / rank

VOCABULARY = 50
_SIZES = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_LARGE = {"initializer_range": 0.3}  # so that a wrong layer shows in the logits

FAMILIES: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**_SIZES, **_LARGE, intermediate_size=24, num_key_value_heads=1, tie_word_embeddings=True),
    "qwen2": Qwen2Config(**_SIZES, **_LARGE, intermediate_size=24, num_key_value_heads=1),
    "gpt2": GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, **_LARGE),
    "opt": OPTConfig(**_SIZES, init_std=0.3, ffn_dim=24, word_embed_proj_dim=8),
    "gemma": GemmaConfig(**_SIZES, **_LARGE, intermediate_size=24, num_key_value_heads=1, head_dim=8),
}


def tiny_model(family: str) -> PreTrainedModel:
    """A random model of the family, the same at every call, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(copy.deepcopy(FAMILIES[family])).eval()


def deep_model(family: str, blocks: int) -> PreTrainedModel:
    """As `tiny_model`, with so many blocks."""
    config = copy.deepcopy(FAMILIES[family])
    config.num_hidden_layers = blocks
    config.layer_types = None if getattr(config, "layer_types", None) is None else config.layer_types[:1] * blocks
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


def tiny_ids(rows: int = 3, length: int = 7) -> torch.Tensor:
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))


def randomise(bank: AdapterBank, seed: int = 0) -> list[State]:
    """Fill every adapter of the bank with different large numbers; returns them."""
    generator = torch.Generator().manual_seed(seed)
    for k in range(bank.width):
        bank.load(k, noise(bank.shapes, generator, 0.3))
    return [bank.state(k) for k in range(bank.width)]


def noise(shapes: Shapes, generator: torch.Generator, size: float) -> State:
    """An adapter of random numbers, with a row of every item."""
    state = {key: size * torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    return state if ITEMS_A not in state else {**state, ROWS: torch.arange(len(state[ITEMS_A]), dtype=torch.int32)}


def close(actual, expected) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=2e-5)


def logits(model, ids=None) -> Tensor:
    with torch.no_grad():
        return model(tiny_ids() if ids is None else ids).logits


def merged(model, change) -> nn.Module:
    """A copy of the model with change(layer name) (out, in) added to the weight of every targeted layer."""
    twin = copy.deepcopy(model)
    for name, layer in twin.named_modules():
        if isinstance(layer, nn.Linear | Conv1D) and name != "lm_head":
            delta = change(name)
            layer.weight.data += delta.T if isinstance(layer, Conv1D) else delta
    return twin


def product(state, name) -> Tensor:
    return SCALE * state[f"{name}.B"] @ state[f"{name}.A"]
