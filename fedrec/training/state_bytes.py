"""States of a split model, and their gradients, as they travel: safetensors bytes in fp32, bf16, fp16 or int8.

    int8   q = round(x / s), s = max |x of the row| / 127        error of a number: s / 2 at most
    fp16   h = x / s,        s = max |x of the row|              gradients are too small for fp16 as they are

A row is a token's numbers. bf16 has the range of fp32 and needs no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from fedrec.protocol.record import BadMessage, untrusted
from fedrec.text import one_line

Wire = Literal["fp32", "bf16", "fp16", "int8"]

_TYPES: dict[Wire, torch.dtype] = {
    "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8,
}  # fmt: skip
_LARGEST = {"fp16": 1.0, "int8": 127.0}
_STATES, _SCALE = "states", "scale"


def to_bytes(states: Tensor, wire: Wire) -> bytes:
    """(n, ...) as bytes."""
    states = states.detach().float().cpu()
    if wire not in _LARGEST:
        return save({_STATES: states.to(_TYPES[wire]).contiguous()})
    rows = states.flatten(1)
    scale = rows.abs().amax(1) / _LARGEST[wire]
    scaled = rows / scale.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    small = scaled.round() if wire == "int8" else scaled
    return save({_STATES: small.to(_TYPES[wire]).view(states.shape).contiguous(), _SCALE: scale.contiguous()})


@untrusted()
def from_bytes(data: bytes, wire: Wire, shape: Sequence[int]) -> Tensor:
    """(n, ...) fp32 of `to_bytes`.

    Raises:
        BadMessage: they are no states of that type and shape, or one of them is not finite.
    """
    try:
        found = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BadMessage(f"its bytes are no states: {one_line(str(error))}") from None
    scaled = {_STATES, _SCALE} if wire in _LARGEST else {_STATES}
    if found.keys() != scaled or found[_STATES].dtype != _TYPES[wire] or tuple(found[_STATES].shape) != tuple(shape):
        raise BadMessage(f"its bytes are no states of {tuple(shape)} in {wire}")
    states = found[_STATES].float()
    if _SCALE in found:
        scale = found[_SCALE]
        if scale.dtype != torch.float32 or tuple(scale.shape) != (shape[0],):
            raise BadMessage("its scales are not one a row")
        states = (states.flatten(1) * scale[:, None]).view(states.shape)
    if not states.isfinite().all():
        raise BadMessage("its states have a number that is not finite")
    return states
