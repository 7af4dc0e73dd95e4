"""Who may read what a process writes: its owner alone."""

from __future__ import annotations

import os


def for_owner_only() -> None:
    """What this process and those it starts make from now on is open to their owner alone: files 0600, folders 0700."""
    os.umask(os.umask(0o077) | 0o077)
