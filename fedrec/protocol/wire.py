"""A content as bytes: a safetensors file of its arrays and, as one more, its values as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fedrec.protocol.record import BadMessage, Content, untrusted
from fedrec.text import one_line

_VALUES = "values"


def pack(content: Content) -> bytes:
    """The bytes of a content."""
    arrays = {name: np.asarray(array, order="C") for name, array in content.arrays.items()}
    return save(arrays | {_VALUES: np.frombuffer(json.dumps(content.values).encode(), np.uint8)})


@untrusted()
def unpack(data: bytes) -> Content:
    """The content of `pack`.

    Raises:
        BadMessage: the bytes are none.
    """
    try:
        arrays: dict[str, NDArray[Any]] = load(data)
        values = json.loads(arrays.pop(_VALUES).tobytes())
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadMessage(f"its bytes are no record: {one_line(str(error))}") from None
    if not isinstance(values, dict):
        raise BadMessage("its bytes are no record: its values are no object")
    return Content(values, arrays)
