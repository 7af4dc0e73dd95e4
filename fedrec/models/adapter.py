"""One LoRA adapter as plain data: which layers it targets, its tensors, how it begins, its vector and its hash.

An adapter of rank r is a dictionary with two fp32 CPU tensors for every targeted layer: `{layer}.A` (r, in) and
`{layer}.B` (out, r), in PEFT's orientation. It adds (alpha / r) B A x to the layer's output (Hu et al. 2021, eq. 3).
With item tokens it has item rows, too, in the form of `fedrec.protocol.item_rows`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fedrec.config import LoraConfig
from fedrec.errors import FedrecError, UsageError
from fedrec.models.body import body
from fedrec.models.item_tokens import item_frame, item_tokens
from fedrec.protocol import item_rows
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS, digest_of

State = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]

ALL_LINEAR = "all-linear"


def target_layers(model: nn.Module, targets: str | tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """The targeted layers of `model` in its own order: name → (in, out). Reads shapes only: the meta device will do.

    `all-linear` is every `nn.Linear` and `Conv1D` that reads tokens: not the output embedding, nor what is behind or
    beside the body (eyes, ears). Otherwise a name targets the layers whose path is it or ends in `.name`, as in PEFT.

    Raises:
        UsageError: a name matches no linear layer, or the output embedding.
    """
    head, within = _head(model), _body(model)
    inner = {
        name: layer_shape(layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | Conv1D) and name != head and name.startswith(within)
    }
    names = target_names(targets)
    if names == ALL_LINEAR:
        if not inner:
            raise UsageError(f"lora.targets: {type(model).__name__} has no linear layer to adapt")
        return inner
    known = ", ".join(sorted({name.rpartition(".")[2] for name in inner}))
    for target in names:
        if head is not None and layer_matches(head, target):
            raise UsageError(f"lora.targets: {target!r} is the output embedding, which has no adapter; use {known}")
        if not any(layer_matches(name, target) for name in inner):
            raise UsageError(f"lora.targets: {target!r} is no linear layer of this model; there are {known}")
    return {name: shape for name, shape in inner.items() if any(layer_matches(name, target) for target in names)}


def target_names(targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """The configured targets: `all-linear`, or a tuple of names (a string may list them with commas)."""
    if not isinstance(targets, str):
        return targets
    return ALL_LINEAR if targets == ALL_LINEAR else tuple(name.strip() for name in targets.split(","))


def layer_matches(name: str, target: str) -> bool:
    """Whether the target name means the layer of this path (PEFT's rule)."""
    return name == target or name.endswith(f".{target}")


def state_shapes(model: nn.Module, config: LoraConfig) -> Shapes:
    """Key → shape of every tensor of an adapter of `model`; of `items.A` those (items, r) that it has rows of, as
    `items.rows` names them."""
    shapes: Shapes = {}
    for name, (n_in, n_out) in target_layers(model, config.targets).items():
        shapes[f"{name}.A"] = (config.rank, n_in)
        shapes[f"{name}.B"] = (n_out, config.rank)
    if (items := item_tokens(model)) is not None:
        shapes[ITEMS_A], shapes[ITEMS_B] = (items.count, items.rank), (items.rank, items.width)
    return shapes


def initial_state(model: nn.Module, config: LoraConfig, seed: int) -> State:
    """A new adapter, begun as PEFT does: A uniform in ±1/√in (Kaiming, a = √5), B zero, so it changes nothing yet.

    Of item tokens, as PEFT begins an embedding, B is normal, of one public seed (`item_frame`), and A zero: no item has
    a row.

    Each layer draws from a generator of its own, seeded by (seed, layer): the result depends neither on the global
    random state nor on which other layers are targeted.
    """
    state: State = {}
    for key, shape in state_shapes(model, config).items():
        if key == ITEMS_A:
            state |= {ITEMS_A: torch.zeros(0, shape[1]), ROWS: torch.zeros(0, dtype=torch.int32)}
            continue
        state[key] = torch.zeros(shape)
        digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        if key == ITEMS_B:
            state[key] = item_frame(*shape)
        elif key.endswith(".A"):
            nn.init.kaiming_uniform_(state[key], a=math.sqrt(5), generator=generator)
    return state


def check_state(state: Mapping[str, Tensor], shapes: Shapes) -> None:
    """Raise FedrecError unless `state` has exactly these keys and shapes and every number is finite."""
    hint = "is it from another base model or other lora settings?"
    for key in sorted(shapes.keys() ^ (state.keys() - {ROWS})):
        raise FedrecError(f"adapter: {key} is {'missing' if key in shapes else 'unexpected'}; {hint}")
    try:
        item_rows.check(to_arrays(state), *shapes.get(ITEMS_A, (0, 0)))
    except ValueError as error:
        raise FedrecError(f"adapter: {error}; {hint}") from None
    for key, tensor in state.items():
        if key not in (ITEMS_A, ROWS) and tuple(tensor.shape) != shapes[key]:
            raise FedrecError(f"adapter: {key} has shape {tuple(tensor.shape)}, expected {shapes[key]}; {hint}")
        if not tensor.isfinite().all():
            raise FedrecError(f"adapter: {key} has a number that is not finite; train it again with a lower train.lr")


def state_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of an adapter: `digest_of` it as it travels."""
    return digest_of(to_arrays(state))


def to_state(arrays: Mapping[str, NDArray[np.float32]]) -> State:
    """An adapter from as it travels: from arrays."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def to_arrays(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """An adapter as it travels."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}


def layer_shape(layer: nn.Linear | Conv1D) -> tuple[int, int]:
    """(in, out)."""
    rows, columns = layer.weight.shape
    return (rows, columns) if isinstance(layer, Conv1D) else (columns, rows)  # Conv1D keeps its weight transposed


def _body(model: nn.Module) -> str:
    """What the paths of the body's layers begin with."""
    if not isinstance(model, PreTrainedModel):
        return ""
    reads = body(model)
    return next((f"{name}." for name, module in model.named_modules() if name and module is reads), "")


def _head(model: nn.Module) -> str | None:
    if not isinstance(model, PreTrainedModel):
        return None
    embedding = model.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is embedding), None)
