"""What a run is prepared over is pinned in its configuration by SHA-256; anything else is refused in its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fedrec.config import PinnedConfig, RunConfig
from fedrec.data.dataset import Catalogue
from fedrec.errors import FedrecError
from fedrec.files import read_json
from fedrec.protocol.facts import Fact, digest


def with_pins(config: RunConfig, found: PinnedConfig) -> RunConfig:
    """The configuration with the hashes of what was prepared.

    Raises:
        FedrecError: it was to be over something else.
    """
    for name, wanted in config.pinned:
        if wanted not in (None, getattr(found, name)):
            raise FedrecError(
                f"pinned.{name}: {wanted} was asked for, and the preparation gives {getattr(found, name)}; "
                "leave it out, or bring what it was of"
            )
    return config.model_copy(update={"pinned": found})


def check_pin(path: Path, pinned: str | None, found: str) -> None:
    """
    Args:
        path: of what was read.
        pinned: its hash as the configuration has it; none = of an older version, which pinned nothing.

    Raises:
        FedrecError: it is another.
    """
    if pinned not in (None, found):
        raise FedrecError(f"{path}: not what the run was prepared over; put it back from a backup, or start a new run")


def read_catalogue(path: Path, config: RunConfig) -> Catalogue:
    """A run's catalogue.json.

    Raises:
        FedrecError: it is another than the run's, or none.
    """
    content = read_json(path)
    try:
        catalogue = Catalogue(tuple(content["ids"]), tuple(content["titles"]))
    except (KeyError, TypeError, ValueError):
        raise FedrecError(f"{path}: no run's catalogue; put it back from a backup") from None
    check_pin(path, config.pinned.catalogue, digest(catalogue.content()))
    return catalogue


def base_pin(record: Mapping[str, object]) -> str:
    """The hash of a base model: of the hub's revision and its files, wherever its folder is."""
    fact: Fact = {"revision": record["revision"], "files": record["files"]}
    return digest(fact)
