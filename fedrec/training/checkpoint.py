"""Where training is within a round, on the disk: killed there, it goes on bit for bit."""

from __future__ import annotations

import io
import time
from pathlib import Path

import torch

from fedrec.training.step import Step
from fedrec.training.stopping import Stopping


class Checkpoint:
    """The state within a round, kept at most every so many seconds; found again only by the same lesson."""

    def __init__(self, path: Path | None, digest: str, seconds: float) -> None:
        self.path, self.digest, self.seconds = path, digest, seconds
        self.last = time.monotonic()

    def restore(self, step: Step, stopping: Stopping) -> tuple[int, float, int]:
        """Steps done, sum of losses and rows so far; all zero where there is nothing to continue."""
        if self.path is None or not self.path.exists():
            return 0, 0.0, 0
        try:
            kept = torch.load(self.path, weights_only=True)
        except Exception:  # half-written by a full disk: training starts over, nothing is lost
            return 0, 0.0, 0
        if kept["digest"] != self.digest:
            return 0, 0.0, 0
        step.restore(kept["content"])
        stopping.restore(kept["best"])
        torch.set_rng_state(kept["rng"])
        return int(kept["done"]), float(kept["loss"]), int(kept["rows"])

    def save(self, done: int, loss: float, rows: int, step: Step, stopping: Stopping) -> None:
        if self.path is None or time.monotonic() - self.last < self.seconds:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        content = {
            "digest": self.digest,
            "done": done,
            "loss": loss,
            "rows": rows,
            "content": step.content(),
            "best": stopping.content(),
            "rng": torch.get_rng_state(),
        }
        written = io.BytesIO()  # torch itself would not say what the disk's fault is
        torch.save(content, written)
        partial.write_bytes(written.getbuffer())
        partial.replace(self.path)
        self.last = time.monotonic()
