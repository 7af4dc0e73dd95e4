"""The adapter bank: K LoRA adapters over one frozen language model, used without copying or changing the model.

    bank = AdapterBank(model, config, width=8, seed=42)
    with bank.use(Routed(3)):
        logits = model(ids).logits        # adapter 3
    logits = model(ids).logits            # the base model alone

A forward hook on every targeted layer adds what the bank contributes where the bank is in use, and only there: each
thread (and each asyncio task) has its own `use`. Several banks over one model may be in use at once; they add up.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self, cast

import torch
from torch import Tensor, nn

from fedrec.config import LoraConfig
from fedrec.models.adapter import (
    State,
    check_state,
    initial_state,
    state_hash,
    state_shapes,
    target_layers,
)
from fedrec.models.adapter_reach import check_reach
from fedrec.models.banks_in_use import in_use, using
from fedrec.models.item_rows import ItemStack
from fedrec.models.item_tokens import item_tokens
from fedrec.models.routing import Mixed, Routed, Routing, add

__all__ = [
    "AdapterBank",
    "Mixed",
    "Routed",
    "Routing",
    "State",
    "initial_state",
    "state_hash",
    "state_shapes",
    "target_layers",
]


class LoraStack(nn.Module):
    """K adapters of one linear layer: A (K, r, in) and B (K, r, out), each B_k transposed, fp32."""

    def __init__(self, width: int, rank: int, n_in: int, n_out: int, config: LoraConfig, device: torch.device) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.zeros(width, rank, n_in, device=device))
        self.B = nn.Parameter(torch.zeros(width, rank, n_out, device=device))
        self.scale = config.alpha / rank
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, y: Tensor, routing: Routing) -> Tensor:
        """y (..., out) plus what the adapters make of the layer's input x (..., in), in y's precision."""
        s, up = routing.factors(self.dropout(x.to(y.dtype)), self.A, self.B)
        return add(y, s, up, self.scale)


class AdapterBank(nn.Module):
    """K adapters over `model`. `parameters()` are the adapters; the model is no part of this module, and is frozen.

    Gradients reach only the adapters that a batch was routed to. The others' are zero rather than None, so an
    optimiser with momentum or weight decay over the whole bank still moves them: with such an optimiser, give every
    adapter its rows in every step, or train in a bank of one.

    Dropout acts on the adapters' input while the bank is in train mode (`bank.train()`, `bank.eval()`), whatever the
    mode of the model, which several banks may share.
    """

    def __init__(
        self, model: nn.Module, config: LoraConfig, *, width: int = 1, seed: int = 0, items: Tensor | None = None
    ) -> None:
        """Attach K = `width` adapters to `model`, each beginning as `initial_state(model, config, seed)`.

        Args:
            items: (m,) the items, rising, whose learnt rows can change and are added; None = all that have tokens.

        Raises:
            UsageError: `config.targets` does not fit the model, or names layers where an adapter could not work.
        """
        super().__init__()
        model.requires_grad_(False)
        self.width = width
        self.layers = target_layers(model, config.targets)
        check_reach(model, self.layers)
        self.shapes = state_shapes(model, config)
        self._key = object()
        self._stacks = nn.ModuleList()
        handles = []
        for name, (n_in, n_out) in self.layers.items():
            layer = model.get_submodule(name)
            stack = LoraStack(width, config.rank, n_in, n_out, config, next(layer.parameters()).device)
            self._stacks.append(stack)
            handles.append(layer.register_forward_hook(_hook(self._key, stack)))
        self.items: ItemStack | None = None
        if (tokens := item_tokens(model)) is not None:
            embedding = model.get_submodule(tokens.layer)
            self.items = ItemStack(tokens, embedding, width, items)
            handles.append(embedding.register_forward_hook(_hook(self._key, self.items)))
        self._device = next(self.parameters()).device
        self._detach = weakref.finalize(self, _remove, handles)
        initial = initial_state(model, config, seed)
        for name, a, b in self._tensors():
            a.copy_(initial[f"{name}.A"])
            b.copy_(initial[f"{name}.B"].mT)
        if self.items is not None:
            for k in range(width):
                self.items.load(k, initial)

    @contextmanager
    def use(self, routing: Routing) -> Iterator[None]:
        """Within this block, in this thread, the model's layers include the adapters that `routing` names.

        Raises:
            IndexError, ValueError: the routing does not fit the bank's width.
            RuntimeError: the bank is closed.
        """
        if not self._detach.alive:
            raise RuntimeError("this adapter bank is closed: the model no longer knows it; make a new one")
        ready = routing.ready(self.width, self._device)
        with using({**in_use.get(), self._key: ready}):
            yield

    def state(self, k: int) -> State:
        """A copy of adapter k: `{layer}.A` (r, in) and `{layer}.B` (out, r), fp32 on the CPU, and its item rows."""
        self._check(k)
        state: State = {}
        for name, a, b in self._tensors():
            state[f"{name}.A"] = a[k].to("cpu", copy=True)
            state[f"{name}.B"] = b[k].mT.to("cpu", copy=True, memory_format=torch.contiguous_format)
        if self.items is not None:
            state |= self.items.state(k)
        return state

    def load(self, k: int, state: Mapping[str, Tensor]) -> None:
        """Overwrite adapter k; FedrecError, and no change, if a key, shape or number of `state` is wrong."""
        self._check(k)
        check_state(state, self.shapes)
        for name, a, b in self._tensors():
            a[k].copy_(state[f"{name}.A"].detach())
            b[k].copy_(state[f"{name}.B"].detach().mT)
        if self.items is not None:
            self.items.load(k, state)

    def copy(self, other: AdapterBank, chosen: Sequence[int]) -> None:
        """Overwrite all adapters: k with the k-th chosen one of another bank over the same layers and items."""
        index = torch.tensor(chosen, device=next(self.parameters()).device)
        for (_, a, b), (_, other_a, other_b) in zip(self._tensors(), other._tensors(), strict=True):
            a.copy_(other_a[index])
            b.copy_(other_b[index])
        if self.items is not None and other.items is not None:
            self.items.copy(other.items, chosen)

    def named_layers(self) -> Iterator[tuple[str, LoraStack]]:
        """Every targeted layer's name and its stacked adapters."""
        yield from zip(self.layers, cast(Iterable[LoraStack], self._stacks), strict=True)

    def layer_parameters(self) -> list[Tensor]:
        """All adapters but their item rows."""
        return list(self._stacks.parameters())

    def close(self) -> None:
        """Detach the bank from the model. Its adapters can still be read. Dropping the last reference does it too."""
        self._detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tensors(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        for name, stack in self.named_layers():
            yield name, stack.A.detach(), stack.B.detach()

    def _check(self, k: int) -> None:
        if not 0 <= k < self.width:
            raise IndexError(f"adapter {k} of a bank of {self.width}")


def _hook(
    key: object, stack: LoraStack | ItemStack
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        routing = in_use.get().get(key)
        return None if routing is None else stack(inputs[0], output, routing)

    return hook


def _remove(handles: list[torch.utils.hooks.RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
