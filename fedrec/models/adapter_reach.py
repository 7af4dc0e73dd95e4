"""Whether adapters reach the layers they are meant for: a hook on a layer sees only what goes through the layer.

Some models use a layer's weights without calling it (Mamba's dt_proj): an adapter there would do nothing in fedrec, and
something in PEFT's merged weights. Others choose by a layer's output (top-k of an index): nothing there can be learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fedrec.errors import UsageError
from fedrec.models import probe_tokens
from fedrec.models.adapter import layer_shape
from fedrec.models.body import hidden_states

_TRIED: WeakKeyDictionary[nn.Module, dict[tuple[str, ...], dict[str, str]]] = WeakKeyDictionary()
_PARTS: WeakSet[nn.Module] = WeakSet()
_PAST = "the model uses its weights without the layer"
_IDLE = "no token comes by it"
_FLAT = "nothing is learnt of its output"
_OTHER = "it makes something else of its input than a matrix does"


def check_reach(model: nn.Module, layers: Iterable[str]) -> None:
    """Refuse layers that no adapter can be on.

    Raises:
        UsageError: names them, and the targets without them.
    """
    layers = tuple(layers)
    if wrong := unreached(model, layers):
        raise UsageError(refusal(wrong, layers))


def unreached(model: nn.Module, layers: tuple[str, ...]) -> dict[str, str]:
    """Layers that no adapter can be on, and why; tried out once a model.

    A layer that made-up tokens do not come by is let be where a sibling is called: they are experts.
    """
    if not isinstance(model, PreTrainedModel) or model in _PARTS:  # layers alone read no tokens
        return {}
    known = _TRIED.setdefault(model, {})
    if layers not in known:
        known[layers] = _wrong(model, layers)
    return known[layers]


def take_as_reached(part: nn.Module) -> None:
    """Try nothing out of a model that is a part of another, which was tried out whole."""
    _PARTS.add(part)


def refusal(wrong: Mapping[str, str], layers: Iterable[str]) -> str:
    """Which of the layers no adapter can be on, the first's reason, and the targets that are left."""
    first, why = next(iter(wrong.items()))
    good = [name for name in layers if name not in wrong]
    bad, rest = (",".join(ends(*both)) for both in ((wrong, good), (good, wrong)))
    mend = f"set lora.targets to {rest}" if rest else "choose another base model"
    return f"lora.targets: no adapter can be on {bad} ({first}: {why}); {mend}"


def ends(names: Iterable[str], others: Iterable[str]) -> list[str]:
    """The shortest ends of the names that are no ends of the others."""
    taken = {_end(name, depth) for name in others for depth in range(1, name.count(".") + 2)}
    found = {
        next((end for depth in range(1, name.count(".") + 1) if (end := _end(name, depth)) not in taken), name)
        for name in names
    }
    return sorted(found)


def _wrong(model: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    called, other = _called(model, layers)
    uncalled = [name for name in layers if name not in called]
    learnt = _learnt(model, [name for name in called if name not in other], uncalled)
    kinds = {kind for name in called for kind in _siblings(name)}
    wrong = dict.fromkeys(other, _OTHER)
    for name in uncalled:
        if name in learnt:
            wrong[name] = _PAST
        elif kinds.isdisjoint(_siblings(name)):
            wrong[name] = _IDLE
    return wrong | {name: _FLAT for name in called if name not in other and name not in learnt}


def _called(model: nn.Module, layers: Sequence[str]) -> tuple[list[str], list[str]]:
    """The layers that the model calls, and those of them that are no plain (..., in) to (..., out)."""
    called: dict[str, None] = {}
    other: dict[str, None] = {}

    def look(name: str, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        called[name] = None
        n_in, n_out = layer_shape(cast(nn.Linear, layer))
        if not (
            inputs and isinstance(output, Tensor) and inputs[0].shape[-1] == n_in
            and output.shape == (*inputs[0].shape[:-1], n_out)
        ):  # fmt: skip
            other[name] = None

    with torch.no_grad(), probe_tokens.alone(model), _hooked(model, layers, look):
        hidden_states(model, probe_tokens.tokens(model))
    return list(called), list(other)


def _learnt(model: nn.Module, called: Sequence[str], uncalled: Sequence[str]) -> set[str]:
    """The layers of whose output, or if they are not called, of whose weights the last states have a gradient."""
    zeros: dict[str, Tensor] = {}
    weights = {name: cast(Tensor, model.get_submodule(name).weight) for name in uncalled}

    def add(name: str, _: nn.Module, __: Any, output: Tensor) -> Tensor:
        zero = torch.zeros((), dtype=output.dtype, device=output.device, requires_grad=True)
        return output + zeros.setdefault(name, zero)

    with (
        torch.inference_mode(False), torch.enable_grad(), probe_tokens.alone(model), _hooked(model, called, add),
        _learning(weights.values()),
    ):  # fmt: skip
        hidden = hidden_states(model, probe_tokens.tokens(model)).float()
        if not hidden.requires_grad:
            return set()
        loss = (hidden * torch.linspace(-1, 1, hidden.numel(), device=hidden.device).view(hidden.shape)).sum()
        tried = {**weights, **zeros}
        gradients = torch.autograd.grad(loss, list(tried.values()), allow_unused=True)
    return {name for name, gradient in zip(tried, gradients, strict=True) if gradient is not None}


@contextmanager
def _hooked(model: nn.Module, layers: Sequence[str], hook: Callable[..., Any]) -> Iterator[None]:
    """While it lasts, every layer calls hook(name, layer, inputs, output)."""
    handles = [model.get_submodule(name).register_forward_hook(partial(hook, name)) for name in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _learning(weights: Iterable[Tensor]) -> Iterator[None]:
    weights = list(weights)
    for weight in weights:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(False)


def _siblings(name: str) -> set[str]:
    """The name with each of its numbers left open: what other layers of the same kind share with it."""
    parts = name.split(".")
    return {".".join([*parts[:i], "*", *parts[i + 1 :]]) for i, part in enumerate(parts) if part.isdigit()}


def _end(name: str, depth: int) -> str:
    return ".".join(name.split(".")[-depth:])
