"""Many continuations of one past: its keys and values are laid out once for all batches, and never copied again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer


def branches(past: Any, rows: int, room: int) -> Cache:
    """A cache in which up to `rows` continuations of at most `room` tokens follow the same past.

    A batch of continuations overwrites what the batch before it left, so one cache serves any number of batches.

    Args:
        past: the cache that the model filled from one sequence.
    """
    return Cache(layers=[_Branches(layer.keys, layer.values, rows, room) for layer in past.layers])


class _Branches(DynamicLayer):
    """One layer. `keys` and `values` (1, heads, past, d) are the past's alone: they say where a continuation begins."""

    def __init__(self, keys: Tensor, values: Tensor, rows: int, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values, self._past = keys, values, keys.shape[-2]
        self._all_keys, self._all_values = _spread(keys, rows, room), _spread(values, rows, room)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """The past with (b, heads, t, d) behind it, for b of the rows; it is not remembered."""
        rows, _heads, new, _width = key_states.shape
        end = self._past + new
        self._all_keys[:rows, :, self._past : end] = key_states
        self._all_values[:rows, :, self._past : end] = value_states
        return self._all_keys[:rows, :, :end], self._all_values[:rows, :, :end]


def _spread(past: Tensor, rows: int, room: int) -> Tensor:
    """(rows, heads, past + room, d), of which the past is filled in."""
    _, heads, length, width = past.shape
    spread = torch.empty(rows, heads, length + room, width, dtype=past.dtype, device=past.device)
    spread[:, :, :length] = past
    return spread
