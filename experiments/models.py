"""A sharded model as bytes, to be compared with another."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import save_file

from unlearning.model import ShardedModel


def content(model: ShardedModel) -> dict[str, bytes]:
    """Every file of a model, with its predictions, by path."""
    scores, wanted = model.test_scores()
    save_file({"scores": np.ascontiguousarray(scores[wanted])}, model.folder / "predictions.safetensors")
    files = (path for path in sorted(model.folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(model.folder)): path.read_bytes() for path in files}
