"""What is set higher than the data or the model have use for."""

from __future__ import annotations

from fedrec.config import parse
from server.prepare import _too_large


def test_what_is_too_large_is_told_and_what_fits_is_not() -> None:
    config = parse({"shards": 200, "prompt": {"window": 384}})
    assert _too_large(config, 200, 384) == []
    shards, window = _too_large(config, 150, 256)
    assert "--shards 200 with 150 people" in shards
    assert "prompt.window 384 is cut to the model's context, 256" in window
