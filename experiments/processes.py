"""Processes that may end while somebody looks at them."""

from __future__ import annotations

import psutil


def runs(process: psutil.Process, word: str) -> bool:
    """Whether the word is in its name or command line; False once it has ended."""
    try:
        return word in process.name() or word in " ".join(process.cmdline())
    except psutil.Error:
        return False
