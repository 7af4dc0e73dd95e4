"""A sharded model as bytes, to be compared with another."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import save_file

from unlearning.central.model import ShardedModel


def content(model: ShardedModel) -> dict[str, bytes]:
    """Every file of a model, with its predictions, by path."""
    scores, wanted = model.test_scores()
    save_file({"scores": np.ascontiguousarray(scores[wanted])}, model.folder / "predictions.safetensors")
    files = (path for path in sorted(model.folder.rglob("*")) if path.is_file() and not path.name.startswith("vault."))
    found = {str(path.relative_to(model.folder)): path.read_bytes() for path in files}
    rows = model.vault.interactions(model.catalogue)  # a vault has a key of its own
    return found | {name: repr(np.asarray(value).tolist()).encode() for name, value in vars(rows).items()}
