"""The good answers of a round that is not finished: on disk, so that a server that is killed asks nobody twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from fedrec.files import replacing, storing
from fedrec.protocol.answers import Answer
from fedrec.protocol.questions import AboutShards
from fedrec.protocol.record import BadMessage, Content
from server.calls import Answered


@dataclass(frozen=True)
class Cached(Generic[Answered]):
    """What a client said.

    Attributes:
        down: bytes of the adapters that it was sent.
    """

    said: Answered
    down: int


@dataclass(frozen=True)
class ReplyCache:
    """Answers in a folder, a file each; `Rounds.write` removes it with the round that they belong to."""

    folder: Path

    def write(self, client: str, question: str, cached: Cached[Answered]) -> None:
        """Keep the answer to a question (`question_of`)."""
        content = cached.said.content()
        written = {"question": question, "values": json.dumps(content.values), "down": str(cached.down)}
        with replacing(self._path(type(cached.said), client)) as partial, storing(partial):
            save_file(dict(content.arrays), partial, written)

    def read(self, kind: type[Answered], client: str, question: str) -> Cached[Answered] | None:
        """The answer to this very question; None where there is none, or one that another version kept."""
        path = self._path(kind, client)
        if not path.exists():
            return None
        try:
            with safe_open(path, "np") as file:
                known = file.metadata()
                if known["question"] != question:
                    return None
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Cached(kind.of(Content(json.loads(known["values"]), arrays)), int(known["down"]))
        except (
            SafetensorError,
            OSError,
            KeyError,
            ValueError,
            BadMessage,
        ):  # a disk that was full, another fedrec: ask again
            return None

    def _path(self, kind: type[Answer], client: str) -> Path:
        return self.folder / kind.__name__ / f"{client}.safetensors"


def question_of(question: AboutShards) -> str:
    """SHA-256 of all that an answer depends on, besides the client and the run."""
    content = question.content()
    digest = hashlib.sha256(json.dumps(content.values, sort_keys=True).encode())
    for name, array in content.arrays.items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()
