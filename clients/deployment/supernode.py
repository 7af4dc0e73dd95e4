"""`flower-supernode`, but for how long it waits until it looks for messages again: there 3 s, and 0.5 s for a reply."""

from __future__ import annotations

import sys
import time
from typing import Any

import flwr.supernode.start_client_internal as internal
from flwr.supernode.cli.flower_supernode import flower_supernode


class _Clock:
    """The module `time`, whose sleeps are no longer than that."""

    def __init__(self, longest: float) -> None:
        self._longest = longest

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, self._longest))

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


if __name__ == "__main__":
    vars(internal).update(time=_Clock(float(sys.argv.pop(1))))
    flower_supernode()
