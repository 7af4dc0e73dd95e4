"""One adapter as a PEFT folder: `adapter_config.json` and `adapter_model.safetensors`, as `PeftModel` reads and writes.

Only plain LoRA has a place in a bank: one rank and one alpha for all layers, no biases, nothing but A and B. A folder
that holds anything else is refused by name. (rsLoRA is plain LoRA with alpha √r, Kalajdzievski 2023, and is read so.)
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from fedrec.config import LoraConfig
from fedrec.errors import FedrecError
from fedrec.files import storing
from fedrec.models.adapter import (
    ALL_LINEAR,
    Shapes,
    State,
    check_state,
    initial_state,
    layer_matches,
    target_layers,
)
from fedrec.models.item_tokens import ItemTokens, item_tokens
from fedrec.models.peft_items import Place, described, to_weights
from fedrec.protocol.adapters import ITEM_ROWS, ITEMS_A, ITEMS_B

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_PARTS = {".lora_A.weight": ".A", ".lora_B.weight": ".B"}
_ITEMS = 2**31  # how many there are is for the base to say

# Settings of PEFT under which the folder is not the plain LoRA that its A and B alone describe, unless unset.
_FOREIGN = (
    "use_dora", "lora_bias", "rank_pattern", "alpha_pattern", "modules_to_save", "trainable_token_indices",
    "target_parameters", "layer_replication", "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config",
    "kasa_config", "monteclora_config", "velora_config",
)  # fmt: skip
_PATTERNS = ("rank_pattern", "alpha_pattern")
# Initialisations that also change the base model's weights, which the folder does not hold.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


def save_peft(folder: Path, state: State, config: LoraConfig, base: str, items: ItemTokens | None = None) -> None:
    """Write `state` so that `PeftModel.from_pretrained` loads it over the base model named `base` (id or path).

    With item rows that is the base extended by those `items`; without, item rows of the state stay out.

    The targets are the exact layers: what PEFT takes for all linear layers has in some families experts among it.

    Raises:
        FedrecError: `state` is no finite adapter of rank `config.rank`.
    """
    if items is None:
        state = {key: tensor for key, tensor in state.items() if key not in ITEM_ROWS}
    check_state(state, _shapes(state, config.rank))
    description = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": config.rank,
        "lora_alpha": int(config.alpha) if config.alpha.is_integer() else config.alpha,
        "lora_dropout": config.dropout,
        "target_modules": layers_of(state),
        "bias": "none",
    }
    folder.mkdir(parents=True, exist_ok=True)
    names = {ours: theirs for theirs, ours in _PARTS.items()}
    layers = {key: tensor for key, tensor in state.items() if key not in ITEM_ROWS}
    weights = {f"{_PREFIX}{key[:-2]}{names[key[-2:]]}": tensor.contiguous() for key, tensor in layers.items()}
    if items is not None:
        weights |= to_weights(state, items)
        Place(items.layer, items.first).write(folder)
        description |= {"target_modules": [*layers_of(state), items.layer], **described(items)}
    with storing(folder / WEIGHTS):
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(description, indent=2) + "\n", "utf-8")


def lost_in_peft(model: PreTrainedModel, config: LoraConfig) -> dict[str, str]:
    """The layers whose adapters PEFT would not give back, and why: it renames some (of experts), and bars some."""
    layers = target_layers(model, config.targets)
    try:
        kept = _layers_in_peft(model, config)
        return {name: "PEFT takes it for one of experts, and loses its adapter" for name in layers if name not in kept}
    except OSError:  # the disk's fault, not PEFT's
        raise
    except Exception as error:  # of whatever kind, so no folder of adapters would load either
        reason = f"PEFT cannot hold it: {' '.join(str(error).split())[:120]}"
    by_name = {name.rpartition(".")[2]: name for name in layers}
    if len(by_name) == 1:
        return dict.fromkeys(layers, reason)
    alone = [config.model_copy(update={"targets": name}) for name in by_name]
    return {name: why for each in alone for name, why in lost_in_peft(model, each).items()}


def _layers_in_peft(model: PreTrainedModel, config: LoraConfig) -> set[str]:
    """The layers that have adapters once PEFT has loaded a folder of ours, on the meta device."""
    from peft import PeftModel

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what is looked for here
        save_peft(Path(folder), initial_state(model, config, 0), config, "", item_tokens(model))
        with torch.device("meta"):
            skeleton = type(model)(deepcopy(model.config))
        loaded = PeftModel.from_pretrained(skeleton, folder, low_cpu_mem_usage=True)
    return {name.removeprefix(_PREFIX) for name, layer in loaded.named_modules() if getattr(layer, "lora_A", None)}


def load_peft(folder: Path) -> tuple[State, LoraConfig]:
    """The adapter in a PEFT folder, in fp32, and its settings.

    Raises:
        FedrecError: the folder holds no plain LoRA adapter; the message names the file and what is wrong in it.
    """
    path = folder / CONFIG
    items = Place.read(folder)
    description = _read_config(path, items)
    state = _read_weights(folder / WEIGHTS, items)
    try:
        rank, alpha = description["r"], description["lora_alpha"]
        config = LoraConfig(
            rank=rank,
            alpha=alpha * math.sqrt(rank) if description.get("use_rslora") else alpha,
            dropout=description.get("lora_dropout", 0.0),
            targets=_targets(description, state),
        )
    except KeyError as error:
        raise FedrecError(f"{path}: {error.args[0]} is missing; save the adapter again with PEFT") from None
    except (ValidationError, TypeError, ValueError):
        values = {key: description.get(key) for key in ("r", "lora_alpha", "lora_dropout")}
        raise FedrecError(f"{path}: {json.dumps(values)} are no settings of LoRA; save the adapter again") from None
    try:
        check_state(state, _shapes(state, config.rank))
    except FedrecError as error:
        raise FedrecError(f"{folder / WEIGHTS}: {error}") from None
    return state, config


def layers_of(state: State) -> list[str]:
    """The linear layers that an adapter is of."""
    return sorted({key[:-2] for key in state if key not in ITEM_ROWS})


def _read_config(path: Path, items: Place | None) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FedrecError(f"{path}: no such file; name a folder that PEFT's save_pretrained wrote") from None
    except (OSError, ValueError) as error:
        raise FedrecError(f"{path}: {str(error).splitlines()[0]}; save the adapter again with PEFT") from None
    if not isinstance(description, dict):
        raise FedrecError(f"{path}: not a JSON object; save the adapter again with PEFT")
    if description.get("peft_type") != "LORA":
        raise FedrecError(f"{path}: peft_type is {description.get('peft_type')!r}; only LORA adapters can be read")
    if (bias := description.get("bias", "none")) != "none":
        raise FedrecError(f"{path}: bias is {bias!r}; only adapters trained with bias 'none' can be read")
    for key in _FOREIGN:
        value = description.get(key)
        if value and not (key in _PATTERNS and items is not None and [*value] == [items.layer]):
            raise FedrecError(f"{path}: {key} is set; only plain LoRA, with one rank and alpha, can be read")
    start = description.get("init_lora_weights")
    if isinstance(start, str) and start.startswith(_CHANGES_BASE):
        raise FedrecError(f"{path}: init_lora_weights {start!r} changed the base; convert it to plain LoRA with PEFT")
    return description


def _read_weights(path: Path, items: Place | None) -> State:
    if not path.is_file():
        raise FedrecError(f"{path}: no such file; save the adapter with safe_serialization=True")
    try:
        tensors = load_file(path)
        state: State = {} if items is None else items.take_from(tensors)
    except (OSError, SafetensorError, KeyError) as error:
        raise FedrecError(f"{path}: {str(error).splitlines()[0]}; copy or save the adapter again") from None
    for key, tensor in tensors.items():
        part = next((part for part in _PARTS if key.endswith(part)), None)
        if part is None or not key.startswith(_PREFIX):
            raise FedrecError(f"{path}: {key} is no lora_A or lora_B weight; only plain LoRA can be read")
        state[key.removeprefix(_PREFIX).removesuffix(part) + _PARTS[part]] = tensor.float()
    if not state:
        raise FedrecError(f"{path}: holds no tensor; save the adapter again with PEFT")
    return state


def _shapes(state: State, rank: int) -> Shapes:
    """The shapes that layers as wide as these have in a whole adapter of this rank."""
    shapes: Shapes = {}
    for key, tensor in state.items():
        if key in ITEM_ROWS:  # of a rank of their own
            own, width = _size(state[ITEMS_B], 0), _size(state[ITEMS_B], 1)
            shapes |= {ITEMS_A: (_ITEMS, own), ITEMS_B: (own, width)}
            continue
        layer, part = key[:-2], key[-2:]
        shapes.setdefault(f"{layer}.A", (rank, 0))
        shapes.setdefault(f"{layer}.B", (0, rank))
        shapes[key] = (rank, _size(tensor, -1)) if part == ".A" else (_size(tensor, 0), rank)
    return shapes


def _size(tensor: Tensor, axis: int) -> int:
    return tensor.shape[axis] if tensor.ndim else 0


def _targets(description: dict[str, Any], state: State) -> str | tuple[str, ...]:
    """The folder's target names; where they are a pattern or have exceptions, the exact layers it has weights for."""
    named, layers = description.get("target_modules"), layers_of(state)
    if named == ALL_LINEAR:
        return ALL_LINEAR
    if not isinstance(named, list) or description.get("exclude_modules") or description.get("layers_to_transform"):
        return tuple(layers)
    return tuple(sorted(name for name in named if any(layer_matches(layer, name) for layer in layers)))
