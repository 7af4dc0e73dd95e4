"""The base model that results were made over: recorded beside them, and held against its files at every load.

A file whose size and times are as they were when it was read last is believed; any other is read. An embedded base
that is gone is built again by its recipe, which gives the same bytes on the same machine, and is held against the
record like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedrec.base_models.named import embedded_base, is_embedded, with_items_of
from fedrec.config import RunConfig
from fedrec.data.dataset import Catalogue
from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.models.base import Base, load_base
from fedrec.models.files import folder_of, model_files, sha256, stamp
from fedrec.pinned import base_pin, check_pin

RECORD = "base.json"
_STAMPS = "base.stamps.json"  # of the files on this machine, when they were read last


def record_base(folder: Path, base: Base) -> Mapping[str, Any]:
    """Write down in `folder` which files the base model is read from, and the hub's revision of them: the record."""
    files = model_files(_found(base.source, base.revision))
    hashes = {name: sha256(path) for name, path in files.items()}
    record = {"base": base.source, "revision": base.revision, "files": hashes}
    write_json(folder / RECORD, record)
    _believe(folder, files)
    return record


def keep_base(folder: Path, base: Base) -> None:
    """Record it, or where one is recorded, see that it is that one: of what is kept in `folder` and added to.

    Raises:
        FedrecError: it is another.
    """
    if not (folder / RECORD).exists():
        record_base(folder, base)
    elif wrong := _difference(folder, _found(base.source, base.revision)):
        raise FedrecError(f"{wrong}; put it back, or start again elsewhere")


def base_of(folder: Path, config: RunConfig, catalogue: Catalogue, here: str | None = None) -> Base:
    """The base model recorded in `folder`, loaded on the device and in the precision of `config.train`.

    Args:
        here: its folder on this machine; none = as it is recorded.

    Raises:
        FedrecError: it is not there, not the one that was recorded, or none was recorded.
    """
    source, revision = find_base(folder, config, catalogue, here)
    cached = folder_of(source, revision) is not None
    base = load_base(source, revision=revision, device=config.train.device, precision=config.train.precision)
    if not cached and (wrong := _difference(folder, _found(source, revision))):  # fetched from the hub just now
        raise FedrecError(f"{wrong}; see what became of {source} on the hub, or start again")
    return with_items_of(base, config, catalogue)


def find_base(folder: Path, config: RunConfig, catalogue: Catalogue, here: str | None = None) -> tuple[str, str | None]:
    """The source and the hub's revision of the base model recorded in `folder`; its files, where they are, are held
    against the record, and those of the embedded one, where they are gone, are built again.

    Raises:
        FedrecError: as `base_of`.
    """
    record = _record(folder)
    check_pin(folder / RECORD, config.pinned.base, base_pin(record))
    source, revision = (here, None) if here is not None else (record["base"], record["revision"])
    there = folder_of(source, revision)
    if there is None and revision is not None:
        return source, revision  # to be fetched
    if there is None:
        if not is_embedded(source, catalogue, config):
            raise FedrecError(
                f"{source}: no such folder; put the base model there that {folder} was made over, or name its folder"
                " as `base` in the client's client.toml"
            )
        there = embedded_base(catalogue, config)
    if wrong := _difference(folder, there):
        mend = "put it back, or start again"
        if revision is None and is_embedded(source, catalogue, config):
            mend = f"remove {there}, and it is built again; where that differs too, bring it from the run's machine"
        raise FedrecError(f"{wrong}; {mend}")
    return (source if revision else str(there)), revision


def _record(folder: Path) -> dict[str, Any]:
    if not (folder / RECORD).exists():
        raise FedrecError(f"{folder}: it does not say which base model it was made over; start it again")
    record: dict[str, Any] = read_json(folder / RECORD)
    return record


def _difference(folder: Path, there: Path) -> str | None:
    """What is otherwise among the files of a base than the record in `folder` has it."""
    record, files = _record(folder), model_files(there)
    believed = read_json(folder / _STAMPS) if (folder / _STAMPS).exists() else {}
    for name, digest in record["files"].items():
        if name not in files:
            return f"{there / name}: no such file, though {folder} was made over it"
        if list(stamp(files[name])) != believed.get(name) and sha256(files[name]) != digest:
            return f"{there / name} is not the file that {folder} was made over"
    if record["revision"] is None and (new := sorted(files.keys() - record["files"].keys())):
        return f"{there / new[0]} was not there when {folder} was made"
    if not believed:
        _believe(folder, files)
    return None


def _believe(folder: Path, files: Mapping[str, Path]) -> None:
    """Whatever was read just now need not be read again."""
    write_json(folder / _STAMPS, {name: stamp(path) for name, path in files.items()})


def _found(source: str, revision: str | None) -> Path:
    there = folder_of(source, revision)
    assert there is not None  # it was loaded from there
    return there
