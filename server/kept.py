"""What clients are asked in a round, and the good answers of one that is not finished: on disk, so that a server
that is killed asks nobody twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fedrec.files import replacing, storing
from fedrec.protocol.adapters import Model, to_arrays


@dataclass(frozen=True)
class Asking:
    """What clients are asked in a round.

    Attributes:
        models: by client, the adapters that it is about.
        without: the clients that have to be sent them.
        prefix: of the reason why an answer does not count.
        more: what else the question says.
    """

    kind: str
    number: int
    models: Mapping[str, Model]
    shards: Sequence[int]
    without: Collection[str]
    prefix: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def questions(self) -> dict[str, str]:
        """By client, what tells its answer from that to any other question."""
        return {
            client: question_of(self.number, self.shards, model, self.more) for client, model in self.models.items()
        }


@dataclass(frozen=True)
class Answer:
    """What a client said.

    Attributes:
        arrays, facts, metrics: the records of its reply.
        down: bytes of the adapters that it was sent.
    """

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    metrics: dict[str, Any]
    down: int


class Kept:
    """Answers in a folder, a file each; `Rounds.write` removes it with the round that they belong to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, kind: str, client: str, question: str, answer: Answer) -> None:
        """Keep the answer to a question (`question_of`) of some kind."""
        said = {"facts": answer.facts, "metrics": answer.metrics, "down": answer.down}
        with replacing(self._path(kind, client)) as partial, storing(partial):
            save_file(answer.arrays, partial, {"question": question, "said": json.dumps(said, default=str)})

    def read(self, kind: str, client: str, question: str) -> Answer | None:
        """The answer to this very question; None where there is none."""
        path = self._path(kind, client)
        if not path.exists():
            return None
        try:
            with safe_open(path, "np") as file:
                known = file.metadata()
                if known["question"] != question:
                    return None
                return Answer({name: file.get_tensor(name) for name in file.keys()}, **json.loads(known["said"]))  # noqa: SIM118
        except (SafetensorError, OSError):  # a disk that was full: it is asked again
            return None

    def _path(self, kind: str, client: str) -> Path:
        return self.folder / kind / f"{client}.safetensors"


def question_of(number: int, shards: Sequence[int], model: Model, more: Mapping[str, Any] | None = None) -> str:
    """SHA-256 of all that an answer depends on, besides the client: round, adapters and whatever else is said."""
    digest = hashlib.sha256(repr((number, list(shards), sorted((more or {}).items()))).encode())
    for name, array in to_arrays(model).items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()
