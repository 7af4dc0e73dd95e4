"""The table of what server and clients say to each other, from the records themselves.

python -m experiments.protocol_table > docs/protocol.md
"""

from __future__ import annotations

from collections.abc import Sequence

from fedrec.protocol import layers
from fedrec.protocol.questions import QUESTIONS, Question
from fedrec.protocol.record import Record

_HEAD = """# The protocol

The server asks, clients answer; nobody else says anything, and a client asks nothing but of the layer service, below.
Every message is one record (`fedrec/protocol/`): values by name as JSON; adapters as named float32 arrays,
`shard/{s}/{layer}.A` and `.B`, and of item rows `items.B`, those rows of `items.A` that are not zero, and in
`items.rows` which items they are of; scores as `scored/…` or `histogram/…` (`fedrec/privacy/disclosure.py`); a part
of a sum under masks as `masked`, unsigned 64-bit numbers (`fedrec/secure_aggregation/`); together in the bytes of a
safetensors file. A record has a version; one that is not known is refused with one line, and so is
whatever is no record. `run`, its id, is in every question, and in most are `facts`, the SHA-256 of each thing that a
client has to know of the run: configuration, catalogue, base model (`fedrec/protocol/facts.py`). A client that has
not got one of them answers `Lacks` with its name, is told it by `query.inform`, keeps it in its home, and is asked
again. No path travels. `client` is in every answer. Written by `python -m experiments.protocol_table`.

"""
_COLUMNS = (
    "message", "what the server asks", "version", "with", "which reveals to the client",
    "what the client answers with", "version", "which reveals to the server",
)  # fmt: skip


_LAYERS = """
## The layer service

Where the server computes the middle of the model (`split.over = "grpc"`), a client asks it while it trains, over a
bidirectional gRPC stream (`/fedrec.Layers/Train`) whose messages are the bytes of such records. `train.lora` brings the
address and a token of the client for the round. Requests of a session are numbered; the last one may be said again, and
is not done twice. States travel as safetensors bytes, of fp32, bf16, fp16 or int8 (`fedrec/training/state_bytes.py`).

"""
_LAYER_COLUMNS = ("request", "what it asks", "version", "with", "which reveals to the server", "answer", "with")
_LAYER_ANSWERS: dict[str, type[Record]] = {
    "Forward": layers.States, "Backward": layers.States, "Fetch": layers.Adapted,
}  # fmt: skip


def table() -> str:
    """docs/protocol.md."""
    asked = [_COLUMNS, ["---"] * len(_COLUMNS), *map(_row, QUESTIONS)]
    of_layers = [_LAYER_COLUMNS, ["---"] * len(_LAYER_COLUMNS), *map(_layer_row, layers.LAYER_REQUESTS.values())]
    return _HEAD + _lines(asked) + _LAYERS + _lines(of_layers)


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _layer_row(request: type[layers.LayerRequest]) -> list[str]:
    said = (request.__doc__ or "").strip().splitlines()[0]
    answer = _LAYER_ANSWERS.get(request.__name__, layers.Ready)
    return [
        f"`{request.__name__}`", said, str(request.version), _fields(request, "session", "number"), request.reveals,
        f"`{answer.__name__}`", _fields(answer, "number"),
    ]  # fmt: skip


def _row(question: type[Question]) -> list[str]:
    said = (question.__doc__ or "").strip().splitlines()[0]
    answer = question.answer
    return [
        f"`{question.kind}`", said, str(question.version), _fields(question, "run", "facts"), question.reveals,
        _fields(answer, "client"), str(answer.version), answer.reveals,
    ]  # fmt: skip


def _fields(record: type[Record], *common: str) -> str:
    names = sorted(record.model_fields, key=lambda name: name == "adapters")
    return ", ".join(f"`{name}`" for name in names if name not in common) or "nothing more"


if __name__ == "__main__":
    print(table(), end="")
