"""What a client says to the layer service while it trains with a middle that is computed there, and what comes back.

All of it goes over one stream, as the bytes of a record (`fedrec.protocol.wire`). Requests of a session are numbered
from 1, `Open`'s; the service answers each once it is done. A client that has lost the stream says the last request
again over a new one: the service has kept its answer, and does nothing twice.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedrec.protocol.record import Adapters, AsArrays, Count, Finite, Flag, Record, Text, Whole

METHOD = "/fedrec.Layers/Train"
TOKEN = "fedrec-token"  # of the stream's metadata
_BYTES = "states"
_SHOWN = "a middle's part of adapters that the client's rows are in"
_STATES = "states of the model after its first blocks, of every token of the client's rows, and their gradients"

Bytes = Annotated[
    bytes,
    AsArrays(lambda data: {_BYTES: np.frombuffer(data, np.uint8)}, lambda arrays: _bytes(arrays)),
]


def _bytes(arrays: Any) -> bytes:
    data: NDArray[np.uint8] = arrays[_BYTES]
    if data.dtype != np.uint8 or data.ndim != 1:
        raise ValueError("its states are no bytes")
    return data.tobytes()


class Ticket(Record, reveals="where the layer service is, and the right to use it in this round"):
    """How a client reaches the layer service in a round.

    Attributes:
        address: host:port.
        token: of the client, for the round.
    """

    address: Text = ""
    token: Text = ""


class LayerRequest(Record):
    """
    Attributes:
        session: 128 random bits in hexadecimal digits, of the client's own.
        number: of the request in the session.
    """

    session: Annotated[Text, Field(pattern="^[0-9a-f]{32}$")]
    number: Count


class Open(LayerRequest, reveals=_SHOWN):
    """Begin a session.

    Attributes:
        adapters: the middle's part of the adapter to begin with; and of one that it is pulled towards, by `pull`.
        seed: of dropout.
    """

    adapters: Adapters
    pull: Finite
    seed: Whole


class Forward(LayerRequest, reveals=_STATES):
    """Compute the middle.

    Attributes:
        lengths: tokens of each row; shape: (their sum, ...) of the states.
        learn: whether `Backward` may follow.
    """

    lengths: tuple[Count, ...]
    shape: tuple[Count, ...]
    learn: Flag
    states: Bytes


class Backward(LayerRequest, reveals=_STATES):
    """Go back through the last forward.

    Attributes:
        wanted: whether the gradient of what came in is to be sent back.
        states: the gradient of what went out.
    """

    wanted: Flag
    shape: tuple[Count, ...]
    states: Bytes


class Step(LayerRequest, reveals="the learning rate, and by how much a gradient is shortened"):
    """Change the adapter, at a rate, by `clip` times its gradient."""

    rate: Finite
    clip: Finite


class Fetch(LayerRequest, reveals="nothing"):
    """Say what the adapter is now."""


class Close(LayerRequest, reveals="nothing"):
    """Forget the session."""


class States(Record, reveals="states of the model, or gradients, by an adapter that the client has sent"):
    """
    Attributes:
        states: none of them where they were not wanted.
        squared_norm: of the adapter's gradient.
    """

    number: Count
    states: Bytes
    squared_norm: Finite = 0.0


class Adapted(Record, reveals="the client's own adapter"):
    number: Count
    adapters: Adapters


class Ready(Record, reveals="nothing"):
    number: Count


LAYER_REQUESTS: dict[str, type[LayerRequest]] = {
    kind.__name__: kind for kind in (Open, Forward, Backward, Step, Fetch, Close)
}
