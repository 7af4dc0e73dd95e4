"""Training: one loop, and steps of it, which decide what a batch is and what it does to the adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedrec.choices import Choices

if TYPE_CHECKING:
    from fedrec.training.step import Step

STEPS: Choices[type[Step]] = Choices({"plain": "fedrec.training.plain:Plain"})
