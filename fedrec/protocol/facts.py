"""The public facts of a run: what its clients have to know, and nobody's rows are in. Messages name them by hash.

configuration   as the server has it, but for its paths: of those the last part
catalogue       ids and titles of the items
base            which base model: its name, the hub's revision, and the SHA-256 of each of its files
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedrec.config import RunConfig

Fact = Mapping[str, Any]
FACTS = ("configuration", "catalogue", "base")


def configuration(config: RunConfig) -> dict[str, Any]:
    """What a run's configuration says to its clients: no folder of the server's is named."""
    tree = config.model_dump(mode="json")
    tree["base"] = _last(config.base)
    tree["data"]["path"] = _last(config.data.path)
    tree["data"]["items"]["path"] = _last(config.data.items.path)
    return tree


def written(fact: Fact) -> bytes:
    """A fact as it is kept and hashed: JSON in one form."""
    return json.dumps(fact, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(fact: Fact) -> str:
    """SHA-256 of what is `written`."""
    return hashlib.sha256(written(fact)).hexdigest()


def _last(name: str | None) -> str | None:
    return name if name is None or not Path(name).is_absolute() else Path(name).name
