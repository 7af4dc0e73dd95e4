"""A part of a model from its files, without the rest: tensors of other layers are never read, nor have they memory.

transformers makes a model without memory, and reads from safetensors what the model has. So the part is a model of its
family whose other blocks are stand-ins from the beginning, and what a checkpoint names otherwise or keeps in pieces
comes out right as it does in a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fedrec.hardware import torch_device
from fedrec.models.adapter_reach import take_as_reached
from fedrec.models.attention import use_matmul_attention
from fedrec.models.base import Base, base_of_files, halve, read
from fedrec.models.blocks import blocks_path
from fedrec.models.split import Middle, SplitPlan, client_blocks, server_blocks


def load_client_part(
    name: str, plan: SplitPlan, *, revision: str | None = None, device: str = "cpu", precision: str = "fp32"
) -> Base:
    """A client's part of the model in a folder, or of a Hugging Face id. It is not tried out: the run's server did.

    Raises:
        FedrecError: as `load_base`, or its weights are not in safetensors.
        UsageError: the model has too few blocks for the plan.
    """

    def cut(model: nn.Module) -> None:
        path = blocks_path(model)
        model.set_submodule(path, nn.ModuleList(client_blocks(_blocks(model, path), plan)))

    model, tokenizer = read(name, revision, _cut_by(cut))
    take_as_reached(model)
    return base_of_files(name, revision, _ready(model, device, precision), tokenizer, precision)


def load_server_part(
    name: str, plan: SplitPlan, *, revision: str | None = None, device: str = "cpu", precision: str = "fp32"
) -> Middle:
    """The server's part of such a model: the middle's blocks alone.

    Raises:
        FedrecError, UsageError: as `load_client_part`.
    """
    found: list[tuple[str, range]] = []

    def cut(model: nn.Module) -> None:
        path = blocks_path(model)
        blocks = _blocks(model, path)
        found[:] = [(path, plan.middle(len(blocks)))]
        middle = {id(inner) for i in found[0][1] for inner in blocks[i].modules()}
        model.set_submodule(path, nn.ModuleList(server_blocks(blocks, plan)))
        for module in model.modules():
            if id(module) not in middle:
                _empty(module)

    model, _ = read(name, revision, _cut_by(cut, tie_weights=lambda *_, **__: None, _tied_weights_keys=None))
    return Middle(_ready(model, device, precision), *found[0])


def _cut_by(cut: Callable[[nn.Module], None], **changes: Any) -> Callable[[Any], Any]:
    """The class of a configuration's model, whose models are cut when they are made."""

    def kind_of(config: Any) -> Any:
        from transformers import AutoModelForCausalLM

        with torch.device("meta"):
            kind: Any = type(AutoModelForCausalLM.from_config(config))

        def begin(self: Any, *arguments: Any, **named: Any) -> None:
            kind.__init__(self, *arguments, **named)
            cut(self)

        return type(kind.__name__, (kind,), {"__init__": begin, "__module__": kind.__module__, **changes})

    return kind_of


def _empty(module: nn.Module) -> None:
    """Zeros in place of a module's own weights, which take no memory: what it makes is put in the place of."""
    for name, weight in list(module._parameters.items()):
        if weight is not None:
            del module._parameters[name]
            setattr(module, name, torch.zeros((), dtype=weight.dtype, device="cpu").expand(weight.shape))
            module._is_hf_initialized = True  # type: ignore[assignment]


def _ready(model: Any, device: str, precision: str) -> Any:
    model.to(torch_device(device)).eval().requires_grad_(False)
    use_matmul_attention(model)
    if precision == "bf16":
        halve(model)
    return model


def _blocks(model: nn.Module, path: str) -> list[nn.Module]:
    found: Any = model.get_submodule(path)
    return list(found)
