"""fedrec: a federated LLM recommender that can forget."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedrec.api import Comparison, Erasure, Run, compare, open_run, resume, simulate

# Before torch loads its OpenMP, which reads it once: threads that wait give up their core. Spinning, two processes of
# two threads each on two cores took 200 s for what takes them 30 s.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = ["Comparison", "Erasure", "Run", "compare", "open_run", "resume", "simulate"]


def __getattr__(name: str) -> Any:
    """`fedrec.api`, imported when it is used: most of the package does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fedrec import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
