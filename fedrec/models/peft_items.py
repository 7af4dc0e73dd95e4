"""Item rows in a PEFT folder: PEFT's own LoRA on the embedding of the extended base, whose words' rows are zero.

Where the items begin is in a file of its own, `items.json`, which PEFT does not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.models.item_tokens import ItemTokens
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS
from fedrec.protocol.item_rows import with_rows

PLACE = "items.json"
_PREFIX = "base_model.model."
_A, _B = ".lora_embedding_A", ".lora_embedding_B"


def to_weights(state: Mapping[str, Tensor], tokens: ItemTokens) -> dict[str, Tensor]:
    """The tensors of an adapter's item rows, as PEFT names and lays them: A (r, tokens), B (d, r)."""
    whole = torch.zeros(tokens.rank, tokens.first + tokens.count)
    whole[:, tokens.first + state[ROWS].long()] = state[ITEMS_A].T
    layer = f"{_PREFIX}{tokens.layer}"
    return {f"{layer}{_A}": whole, f"{layer}{_B}": state[ITEMS_B].T.contiguous()}


def described(tokens: ItemTokens) -> dict[str, Any]:
    """What PEFT's configuration says of them besides the target."""
    return {
        "rank_pattern": {tokens.layer: tokens.rank},
        "alpha_pattern": {tokens.layer: tokens.rank * tokens.scale},
    }


@dataclass(frozen=True)
class Place:
    """Where item rows are in a folder's tensors: of the embedding `layer`, from token `first` on."""

    layer: str
    first: int

    def write(self, folder: Path) -> None:
        write_json(folder / PLACE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Place | None:
        """None where a folder has no item rows.

        Raises:
            FedrecError: the file is broken.
        """
        if not (path := folder / PLACE).exists():
            return None
        try:
            return cls(**read_json(path))
        except TypeError:
            raise FedrecError(f"{path}: it does not say where items begin; copy or save the adapter again") from None

    def take_from(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """The item rows among a folder's tensors, which are taken out.

        Raises:
            KeyError: they are not there.
        """
        a, b = (weights.pop(f"{_PREFIX}{self.layer}{part}").float() for part in (_A, _B))
        rows = a[:, self.first :].T.contiguous().numpy()
        found = with_rows({}, np.arange(len(rows), dtype=np.int32), rows)
        return {ITEMS_B: b.T.contiguous()} | {key: torch.from_numpy(array) for key, array in found.items()}
