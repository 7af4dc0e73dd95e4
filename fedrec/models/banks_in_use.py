"""Which banks are in use here, and how each is routed. Every thread, and every asyncio task, has its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from fedrec.models.routing import Routing

# By bank key. The keys are bare objects, so neither this nor a hook keeps a bank alive.
in_use: ContextVar[Mapping[object, Routing]] = ContextVar("adapter banks in use", default=MappingProxyType({}))


@contextmanager
def using(routings: Mapping[object, Routing]) -> Iterator[None]:
    """Within this block these banks are in use, and no others."""
    token = in_use.set(routings)
    try:
        yield
    finally:
        in_use.reset(token)
