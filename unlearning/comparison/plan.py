"""What a comparison of methods compares, and the folder it is in.

plan.json, compare.json, report.html; what is done of each seed and method beside them
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import SerializeAsAny, StringConstraints

from fedrec import lock
from fedrec.config import RunConfig
from fedrec.errors import UsageError
from fedrec.files import read_json
from fedrec.settings import Section, flat
from unlearning.methods import method_named
from unlearning.methods.method import Method, Unit

Share = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?%$")]
"""Such as 20%."""

PLAN, RESULT, PAGE = "plan.json", "compare.json", "report.html"


class Plan(Section):
    """What is compared.

    Attributes:
        config: of every model, resolved; its seed is replaced by each of `seeds`.
        methods: names as `method_named` reads them; retraining comes first by itself.
        shadows: models for a likelihood-ratio attack.
        unit, forget: how many users or training rows, or what share of them, are deleted, drawn by the seed.
        requests: in how many requests, one after another, approximate methods forget them; exact ones, of which as much
            is left either way, at once.
    """

    config: SerializeAsAny[RunConfig]
    methods: tuple[str, ...]
    shards: int
    slices: int
    unit: Unit
    forget: int | Share
    seeds: tuple[int, ...]
    shadows: int = 0
    requests: int = 1

    def model_post_init(self, _: Any) -> None:
        """A mistake in a method's name is told before anything is written."""
        for name in self.methods:
            self.method(name)

    def method(self, name: str) -> Method:
        return method_named(name, self.shards, self.slices, self.config.aggregation, self.unit)


def claim(folder: Path, plan: Plan, replace: bool) -> None:
    """See to it that a folder is free, or holds this comparison; methods and seeds may be added to it.

    Raises:
        UsageError: it holds another comparison, or something else.
    """
    if replace and is_comparison(folder):
        lock.empty(folder)
    if not is_comparison(folder):
        if lock.content(folder):
            raise UsageError(f"{folder} is not empty: choose another --out")
        return
    wanted, kept = (dict(flat(tree)) for tree in (plan.model_dump(mode="json"), read_json(folder / PLAN)))
    for name in sorted(wanted.keys() | kept.keys()):
        if name not in ("methods", "seeds") and wanted.get(name) != kept.get(name):
            mend = "give the same settings, throw it away with --replace, or choose another --out"
            held = f"{name.removeprefix('config.')} = {kept.get(name)}"
            raise UsageError(f"{folder} holds a comparison with {held}: {mend}")


def is_comparison(folder: Path) -> bool:
    """Whether the folder is one that `fedrec unlearn compare` made."""
    return (folder / PLAN).exists()
