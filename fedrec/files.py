"""Files that appear whole or not at all and JSON in them, and files that disappear for good."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from fedrec.errors import FedrecError
from fedrec.text import read_text


class replacing:
    """A context that gives a partial file's path and moves it into place at the end, if nothing was raised."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")

    def __enter__(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.partial

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.partial.replace(self.path)
        else:
            self.partial.unlink(missing_ok=True)


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Around the writing of tensors: a disk that refuses is an OSError that names `path`, as with other files."""
    try:
        yield
    except SafetensorError as error:
        if (code := re.search(r"os error (\d+)", str(error))) is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from None


def write_json(path: Path, content: Any) -> None:
    """JSON with NaN as null, written atomically."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(finite(content), indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except FileNotFoundError:
        raise FedrecError(f"{path}: no such file; is the run complete?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FedrecError(f"{path}: not JSON ({error}); restore it or start the run again") from None


def finite(content: Any) -> Any:
    """The content as JSON can hold it: NaN and infinities become null, numpy becomes Python."""
    if isinstance(content, Mapping):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, np.ndarray):
        return finite(content.tolist())
    if isinstance(content, np.generic):
        content = content.item()
    return None if isinstance(content, float) and not np.isfinite(content) else content


def shred(path: Path) -> None:
    """Overwrite a file and remove it; nothing where it is gone already. A copy that the disk keeps is not reached."""
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
