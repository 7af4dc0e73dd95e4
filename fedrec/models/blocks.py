"""The blocks of a decoder, and a model in which some of them stand for others, at no cost of memory.

A stand-in has the plain attributes of its block (kind of attention, index), which models look at, none of its weights,
and a forward of its own. Families differ in whether a block returns its states alone or first of a tuple; what a
stand-in returns is in the form that a block of its kind, which is there, returns on the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from fedrec.errors import FedrecError
from fedrec.models.banks_in_use import using
from fedrec.models.body import body


def blocks_path(model: nn.Module) -> str:
    """Path of the list of a model's decoder blocks: of the lists in its body, the one with the most weights.

    Raises:
        FedrecError: the body has no list of blocks.
    """
    reads = body(model)
    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    inner = {id(module) for module in reads.modules()}
    sizes = {
        name: sum(weight.numel() for weight in found.parameters())
        for name, found in lists.items()
        if id(found) in inner and len(found) > 2
    }
    if not sizes:
        raise FedrecError(f"{type(model).__name__} has no list of three blocks or more to split")
    found: str = max(sizes, key=lambda name: (sizes[name], -len(name)))
    return found


class StandIns:
    """Stand-ins among the blocks of one model, which the others tell the form of what blocks return."""

    def __init__(self, kept: Sequence[nn.Module]) -> None:
        self._kept = kept
        self._forms: dict[type[nn.Module], int] = {}  # entries of the tuple; 0 = the states alone

    def of(self, block: nn.Module, states: Callable[[Tensor], Tensor]) -> nn.Module:
        """One of a block, which makes of the states (b, t, ...) that come to it what `states` does."""
        stand_in: Any = copy(block)
        stand_in._modules, stand_in._parameters, stand_in._buffers = {}, {}, {}
        stand_in._forward_hooks, stand_in._forward_pre_hooks = {}, {}

        def forward(*inputs: Any, **named: Any) -> Any:
            made = states(inputs[0] if inputs else named["hidden_states"])
            entries = self._entries(type(block), inputs, named)
            return (made, *[None] * (entries - 1)) if entries else made

        stand_in.forward = forward
        return stand_in  # type: ignore[no-any-return]

    def _entries(self, kind: type[nn.Module], inputs: Sequence[Any], named: dict[str, Any]) -> int:
        if kind not in self._forms:
            found = (_entries(block, inputs, named) for block in self._kept if type(block) is kind)
            told = next((entries for entries in found if entries is not None), None)
            self._forms[kind] = next(iter(self._forms.values()), 0) if told is None else told
        return self._forms[kind]


@torch.no_grad()
def _entries(block: nn.Module, inputs: Sequence[Any], named: dict[str, Any]) -> int | None:
    """How many things a block returns, 0 = its states alone; None where the input is for blocks of another size."""
    try:
        with using({}):
            returned = block(*inputs, **named)
    except Exception:  # the model's own code raises what it likes
        return None
    return len(returned) if isinstance(returned, tuple | list) else 0


def with_blocks(model: nn.Module, path: str, blocks: Sequence[nn.Module]) -> nn.Module:
    """The model with other blocks, sharing all the rest; it stays as it is, for other threads too."""
    if not path:
        return nn.ModuleList(blocks)
    name, _, rest = path.partition(".")
    twin = copy(model)
    twin._modules = {**model._modules, name: with_blocks(model._modules[name], rest, blocks)}  # type: ignore[arg-type]
    return twin
