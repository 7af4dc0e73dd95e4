"""Where workers on Ray write how far they are. Ray gives it a process of its own: nothing heavy is imported here."""

from __future__ import annotations


class Board:
    """The step that each shard is at, and how many there are, where that is news."""

    def __init__(self) -> None:
        self.steps: dict[int, tuple[int, int]] = {}

    def write(self, shard: int, step: int, steps: int) -> None:
        self.steps[shard] = (step, steps)

    def read(self) -> dict[int, tuple[int, int]]:
        """What was written since it was last read."""
        steps, self.steps = self.steps, {}
        return steps
