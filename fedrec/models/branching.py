"""Many continuations of one past: its keys and values are never copied where attention shares them (`shared_past`), and
otherwise laid out once for all batches.

That holds for attention, whole or in a window. Layers that keep something else of the past (states of linear attention,
of a convolution, of an index) are copied for every batch, which overwrites them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from fedrec.models import attention, probe_tokens, shared_past
from fedrec.models.body import body, hidden_states

Way = Literal["shared", "laid out"]
"""How continuations come by the keys and values of their past: attention shares them, or each has its own."""

_WAYS: WeakKeyDictionary[nn.Module, Way | None] = WeakKeyDictionary()


class Branches:
    """Continuations of what a model read, in batches.

    A batch of continuations overwrites what the batch before it left, so one past serves any number of batches.
    """

    def __init__(self, past: Any, rows: int, room: int, way: Way | None = "laid out") -> None:
        """
        Args:
            past: the cache that the model filled from one sequence.
            rows, room: the most continuations in a batch, and the most tokens in each.
            way: that of the model.

        Raises:
            TypeError: the model keeps its past in a way of its own.
        """
        if type(past) is not DynamicCache:
            raise TypeError(f"a past in a {type(past).__name__}")
        self._layers = [_laid_out(layer, rows, room, way) for layer in past.layers]

    def cache(self, rows: int) -> Cache:
        """For one batch of `rows` continuations."""
        return Cache(
            layers=[layer if isinstance(layer, _Fixed | _Shared) else _copied(layer, rows) for layer in self._layers]
        )


def continues(model: Any) -> bool:
    """Whether a model that goes on from a past says what it says of the whole.

    Mamba and others have a cache for single tokens only, or none: their candidates are scored as whole prompts.
    """
    return way_of(model) is not None


def way_of(model: Any) -> Way | None:
    """The quicker way in which a model goes on from a past rightly, tried out once a model; None = in no way."""
    if model not in _WAYS:
        ways: list[Way] = ["shared", "laid out"] if attention.is_used(model) else ["laid out"]
        with probe_tokens.alone(model):
            _WAYS[model] = next((way for way in ways if _tried(model, way)), None)
    return _WAYS[model]


def continues_like(model: Any, other: Any) -> None:
    """What is known of one model holds for one that differs by words of its vocabulary."""
    _WAYS[model] = way_of(other)


@torch.no_grad()
def _tried(model: Any, way: Way) -> bool:
    ids = probe_tokens.tokens(model)
    whole, (rows, length) = hidden_states(model, ids), ids.shape
    reads, half = body(model), length // 2
    try:
        past = reads(input_ids=ids[:1, :half], use_cache=True).past_key_values
        branches = Branches(past, rows, length, way)
        for _ in range(2):  # the second time, after the first has overwritten what it could
            continued = ids[:1, half:].expand(rows, -1)
            hidden = reads(input_ids=continued, past_key_values=branches.cache(rows), use_cache=True).last_hidden_state
            if not probe_tokens.same(hidden, whole[:1, half:].expand_as(hidden)):
                return False
    except Exception:  # a cache that takes one token at a time, has another name, or is not there, says so in any way
        return False
    return True


class _Shared(DynamicLayer):
    """One layer whose attention shares the past. `keys` and `values` (1, heads, past, d) are the past's alone."""

    def __init__(self, past: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(past.keys, past.values)
        self.keys, self.values = self._past = past.keys, past.values

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The continuations' own (b, heads, t, d), marked with the past; they are not remembered."""
        return shared_past.behind(self._past, key_states), value_states


class _Fixed(DynamicLayer):
    """One layer. `keys` and `values` (1, heads, past, d) are the past's alone: they say where a continuation begins."""

    def lay_out(self, past: Any, rows: int, room: int) -> None:
        self.lazy_initialization(past.keys, past.values)
        self.keys, self.values = past.keys, past.values
        self._past = past.keys.shape[-2]
        self._all_keys, self._all_values = _spread(past.keys, rows, room), _spread(past.values, rows, room)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The past with (b, heads, t, d) behind it, for b of the rows; it is not remembered."""
        rows, _heads, new, _width = key_states.shape
        end = self._past + new
        self._all_keys[:rows, :, self._past : end] = key_states
        self._all_values[:rows, :, self._past : end] = value_states
        return self._all_keys[:rows, :, :end], self._all_values[:rows, :, :end]


class _FixedWindow(_Fixed, DynamicSlidingWindowLayer):
    """One layer that sees a window: of the past it has the end only, and counts what was before it."""

    def lay_out(self, past: Any, rows: int, room: int) -> None:
        super().lay_out(past, rows, room)
        self.cumulative_length = past.cumulative_length


def _laid_out(layer: Any, rows: int, room: int, way: Way | None) -> Any:
    if type(layer) is DynamicSlidingWindowLayer:
        window = _FixedWindow(layer.sliding_window)
        window.lay_out(layer, rows, room)
        return window
    if type(layer) is DynamicLayer and way == "shared":
        return _Shared(layer)
    if type(layer) is DynamicLayer:
        fixed = _Fixed()  # type: ignore[no-untyped-call]
        fixed.lay_out(layer, rows, room)
        return fixed
    return layer


def _copied(layer: Any, rows: int) -> Any:
    layer = deepcopy(layer)
    layer.reorder_cache(torch.zeros(rows, dtype=torch.long))
    return layer


def _spread(past: Tensor, rows: int, room: int) -> Tensor:
    """(rows, heads, past + room, d), of which the past is filled in."""
    _, heads, length, width = past.shape
    spread = torch.empty(rows, heads, length + room, width, dtype=past.dtype, device=past.device)
    spread[:, :, :length] = past
    return spread
