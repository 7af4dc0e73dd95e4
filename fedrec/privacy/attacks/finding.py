"""What attacks find, in one form for terminal, page and JSON: figures with the interval that chance leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Finding:
    """One figure.

    Attributes:
        read: what the attacker reads or does, in a few words.
        measure: what is measured: "AUC", "precision" …
        low, high: a 95 % interval; the same as the value where nothing was left to chance.
        chance: the figure of whoever learns nothing, or before the attack; None where there is none.
    """

    read: str
    measure: str
    value: float
    low: float
    high: float
    chance: float | None = None


@dataclass(frozen=True)
class Report:
    """An attack on one model.

    Attributes:
        attack: its name.
        run: the model's folder name; adapter_hash: of what was attacked.
        notes: what has to be known to read the figures, a sentence each.
    """

    attack: str
    run: str
    adapter_hash: str | None
    findings: Sequence[Finding]
    notes: Sequence[str] = field(default_factory=tuple)

    def content(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "findings": [asdict(each) for each in self.findings], "notes": [*self.notes]}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """KeyError or TypeError where it is none; what could not be measured (null) is NaN."""
        findings = [_finding(each) for each in content["findings"]]
        return cls(**{**content, "findings": findings, "notes": tuple(content["notes"])})


def _finding(content: Mapping[str, Any]) -> Finding:
    known: dict[str, Any] = {key: value for key, value in content.items() if value is not None}
    return Finding(**dict.fromkeys(("value", "low", "high"), float("nan")) | known)
