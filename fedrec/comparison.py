"""Methods of unlearning side by side, for a notebook or a script: a part of `fedrec.api`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from unlearning.comparison.compare import ComparisonListener
    from unlearning.methods.method import Unit


@dataclass(frozen=True)
class Comparison:
    """Methods of unlearning side by side.

    Attributes:
        result: as compare.json in the folder has it.
    """

    folder: Path
    result: dict[str, Any]

    @property
    def report(self) -> Path:
        """Its page."""
        return self.folder / "report.html"

    def methods(self) -> pd.DataFrame:
        """A row for each method and seed: AUC before and after the deletion, cost, and whether it was exact."""
        import pandas as pd

        return pd.DataFrame(self.result["methods"])


def compare(
    data: str | None = None,
    *,
    methods: Sequence[str] = (),
    shards: int = 4,
    slices: int = 1,
    unit: Unit = "user",
    forget: int | str = 1,
    requests: int = 1,
    seeds: Sequence[int] = (42,),
    shadows: int = 0,
    base: str | None = None,
    settings: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    config: Path | None = None,
    out: Path | str | None = None,
    workers: str | int = "auto",
    gpus: float = 0.0,
    latency: bool = False,
    replace: bool = False,
    listener: ComparisonListener | None = None,
) -> Comparison:
    """Train each method of unlearning, delete, and measure it against retraining everything without what was deleted.

    Args:
        methods: their names; none = the published and the strict ones. Retraining is always there.
        shards, slices: of each method, where it has them.
        unit, forget: how many users or rows ("user", "row"), or what share of them ("20%"), are deleted, drawn by
            each seed.
        requests: in how many requests, one after another, approximate methods forget them; exact ones do at once.
        shadows: models, trained together, for a likelihood-ratio attack (LiRA) on what was deleted.
        gpus: part of a GPU that a shard needs, with workers on Ray.
        latency: measure the time that an answer takes too.
        listener: whom to tell what is going on; otherwise as `simulate`.

    Raises:
        UsageError: names what is wrong.
    """
    from fedrec.config import load
    from fedrec.parallel.worker_count import parse_workers
    from fedrec.preparation import resolve
    from unlearning.comparison.compare import ComparisonListener
    from unlearning.comparison.plan import Plan
    from unlearning.comparison.run import METHODS, carry_out
    from unlearning.compute.processes import workers_for

    words = {"data.path": data, "base": base}
    overrides = {**(settings or {}), **{name: value for name, value in words.items() if value is not None}}
    plan = Plan(
        config=resolve(load(config, overrides, tuple(sets))),
        methods=tuple(methods) or METHODS,
        shards=shards,
        slices=slices,
        unit=unit,
        forget=forget,
        requests=requests,
        seeds=tuple(seeds),
        shadows=shadows,
    )
    where, told = workers_for(parse_workers(str(workers)), shards, gpus), listener or ComparisonListener()
    return Comparison(
        *carry_out(plan, None if out is None else Path(out), where, told, latency=latency, replace=replace)
    )
