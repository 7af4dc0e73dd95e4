"""A tiny random model of every causal language model that the installed transformers knows, with windows in reach."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.models.sizes import LAYERS, OWN, SIZES

FAMILIES = tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))
_LARGEST = 3_000_000  # parameters
_DEVIATION = 0.3  # of the weights, so that a wrong layer shows in the logits


class NotTiny(Exception):
    """No tiny model of a family can be made, and why."""


def family(name: str) -> PreTrainedModel:
    """The family's tiny model, in evaluation mode; made once a process, so leave it as it was.

    Raises:
        NotTiny: its configuration or its model's own code does not take small sizes.
    """
    made = _made(name)
    if isinstance(made, NotTiny):
        raise made
    return made


@cache
def _made(name: str) -> PreTrainedModel | NotTiny:
    try:
        with warnings.catch_warnings(), torch.random.fork_rng():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            config = tiny_config(CONFIG_MAPPING[name])
            with torch.device("meta"):
                size = sum(weight.numel() for weight in AutoModelForCausalLM.from_config(config).parameters())
            if size > _LARGEST:
                return NotTiny(f"{size} parameters")
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
            _randomise(model)
            with torch.no_grad():
                model(input_ids=torch.ones(1, 5, dtype=torch.long))
    except Exception as error:
        return NotTiny(" ".join(str(error).split())[:100])
    return model.requires_grad_(False)


def tiny_config(kind: type[PretrainedConfig]) -> PretrainedConfig:
    """A configuration with the sizes of `SIZES` wherever it has them, all kinds of layers, and its own exceptions."""
    defaults = kind().to_dict()
    settings: dict[str, Any] = {
        name: size for name, size in SIZES.items() if name in defaults and not isinstance(defaults[name], list | dict)
    }
    for name, inner in kind.sub_configs.items():
        if inner is not AutoConfig:
            settings[name] = tiny_config(inner).to_dict()
    if "kv_lora_rank" in settings and "num_key_value_heads" in settings:
        settings["num_key_value_heads"] = settings["num_attention_heads"]
    kinds = list(dict.fromkeys(defaults.get("layer_types") or ()))
    if len(kinds) > 1:
        settings["layer_types"] = [kinds[layer % len(kinds)] for layer in range(LAYERS)]
    return kind(**settings | OWN.get(kind.model_type, {}))


def _randomise(model: PreTrainedModel) -> None:
    """Matrices drawn wide; vectors (norms, biases, decays) stay as the family begins them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(_DEVIATION * torch.randn(weight.shape, generator=generator))
