"""Files that appear whole or not at all and JSON in them, and files that disappear for good.

What others rely on is also on the disk, file and name, before they are told of it: a power cut then takes nothing back.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from fedrec.errors import FedrecError
from fedrec.text import read_text


@contextlib.contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """A partial file's path: it moves into place at the end, if nothing is raised; with `durable` it is on the disk."""
    partial = path.with_name(path.name + ".partial")
    make_folder(path.parent)
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        sync(partial)
    partial.replace(path)
    if durable:
        sync(path.parent)


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Around the writing of tensors: a disk that refuses is an OSError that names `path`, as with other files."""
    try:
        yield
    except SafetensorError as error:
        if (code := re.search(r"os error (\d+)", str(error))) is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from None


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """The same for a whole folder, on the disk at the end; the one that was there is removed before."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    yield partial
    sync_tree(partial)
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    sync(folder.parent)


def make_folder(folder: Path) -> None:
    """A folder, its name on the disk; nothing where it is there already."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Written atomically, for the owner only, and on the disk when it returns."""
    with replacing(path, durable=True) as partial:
        partial.touch(0o600)
        partial.chmod(0o600)  # one that a crash left may have been open to others
        partial.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """JSON with NaN as null, written atomically and on the disk when it returns."""
    with replacing(path, durable=True) as partial:
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
        sync(path.parent)


def sync(path: Path) -> None:
    """A file's content, or the names in a folder, are on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Everything in a folder and below is on the disk when this returns."""
    for path in (*folder.rglob("*"), folder):
        if path.is_dir() or path.is_file():
            sync(path)
