"""The environment of Flower's own processes: what they keep, and that they fetch nothing and tell nobody."""

from __future__ import annotations

import sys
from pathlib import Path


def environment(home: Path) -> dict[str, str]:
    """
    Args:
        home: folder of what they keep.
    """
    return {
        "FLWR_HOME": str(home),
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
    }


def script(name: str) -> Path:
    """One of Flower's commands, of the environment that this process runs in."""
    return Path(sys.executable).parent / name
