"""The folder of a comparison of methods: what is compared, as `plan.json`, the result, and the page.

plan.json, compare.json, report.html; what is done of each seed and method beside them
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fedrec import lock
from fedrec.config import RunConfig
from fedrec.errors import FedrecError, UsageError, command
from fedrec.files import read_json
from fedrec.reporting import comparison_page
from fedrec.settings import flat
from unlearning.methods import method_named
from unlearning.methods.method import Method, Unit

PLAN, RESULT, PAGE = "plan.json", "compare.json", "report.html"


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes:
        config: of every model, resolved; its seed is replaced by each of `seeds`.
        methods: names as `method_named` reads them; retraining comes first by itself.
        unit, forget: how many users or training rows are deleted, drawn by the seed.
    """

    config: RunConfig
    methods: tuple[str, ...]
    shards: int
    slices: int
    unit: Unit
    forget: int
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        """A mistake in a method's name is told before anything is written."""
        for name in self.methods:
            self.method(name)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=lambda section: section.model_dump()))
        return plain

    def method(self, name: str) -> Method:
        return method_named(name, self.shards, self.slices, self.config.aggregation, self.unit)


def claim(folder: Path, plan: Plan, replace: bool) -> None:
    """See to it that a folder is free, or holds this comparison; methods and seeds may be added to it.

    Raises:
        UsageError: it holds another comparison, or something else.
    """
    path = folder / PLAN
    if replace and path.exists():
        lock.empty(folder)
    if path.exists():
        wanted, kept = dict(flat(plan.as_dict())), dict(flat(read_json(path)))
        for name in sorted(wanted.keys() | kept.keys()):
            if name not in ("methods", "seeds") and wanted.get(name) != kept.get(name):
                mend = "give the same settings, throw it away with --replace, or choose another --out"
                held = f"{name.removeprefix('config.')} = {kept.get(name)}"
                raise UsageError(f"{folder} holds a comparison with {held}: {mend}")
    elif lock.content(folder):
        raise UsageError(f"{folder} is not empty: choose another --out")


def is_comparison(folder: Path) -> bool:
    """Whether the folder is one that `fedrec unlearn compare` made."""
    return (folder / PLAN).exists()


def show_again(folder: Path) -> Path:
    """Write the page of a finished comparison again; where it is.

    Raises:
        FedrecError: it is not finished, or the page cannot be written.
    """
    if not (folder / RESULT).exists():
        raise FedrecError(
            f"{folder}: this comparison is not finished; {command('unlearn compare --out', folder)} goes on"
        )
    return write_page(read_json(folder / RESULT), folder)


def write_page(result: dict[str, Any], folder: Path) -> Path:
    """Write the page of a comparison into its folder; where it is.

    Raises:
        FedrecError: the file cannot be written.
    """
    comparison_page.write_page(result, folder / PAGE)
    return folder / PAGE
