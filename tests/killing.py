"""Work that is broken off at one of its steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def killed_at(place: Any, step: str, after: bool, work: Callable[[], object]) -> None:
    """Do some work until it comes to an attribute of a place, before that is done or after."""
    real = getattr(place, step)

    def killed(*arguments: Any, **named: Any) -> None:
        if after:
            real(*arguments, **named)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, step, killed)
        with pytest.raises(KeyboardInterrupt):
            work()
