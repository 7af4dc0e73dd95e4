"""What a run's files tell, held against the rows that are there, the models that are served, and each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedrec.data.evaluation_sample import evaluated
from fedrec.errors import FedrecError
from fedrec.files import finite, read_json
from fedrec.protocol.adapters import model_hash
from fedrec.reporting.run_result import alike, digest
from server.integrity.restatement import facts_now
from server.results import hash_of, result_of
from server.run import Run

if TYPE_CHECKING:
    from server.simulation.run import SimulatedRun

Found = Iterator[tuple[Path, str]]


def old_figures(run: SimulatedRun) -> Found:
    """What tells of rows that are there no longer, of a run that had some erased."""
    if any(run.reference.get(key) != value for key, value in finite(facts_now(run)).items()):
        yield run.folder / "reference.json", "tells of other rows than are there"
    last = run.rounds.last()
    if last == run.config.federation.rounds:
        for number in range(last):
            if run.rounds.entry(number)["clients"]:
                yield run.rounds.folder / f"{number:04d}" / "round.json", "tells what erased rows were measured with"
        yield from old_entries(run, last)


def old_entries(run: SimulatedRun, last: int) -> Found:
    """The rounds that were measured on other rows than are there, or of which the last measured another model."""
    measured = cache(partial(_measured, run))  # the rows are read once a share, not once a round
    for number, entry in enumerate(run.rounds.history()):
        path = run.rounds.folder / f"{number:04d}" / "round.json"
        there = measured(entry["share"]) if entry["clients"] else {}
        if any(each["examples"] != there.get(each["id"], 0) for each in entry["clients"]):
            yield path, "tells of other rows than are there"
        elif number == last and (served := _served(run, entry)) is not None and served != entry["adapter_hash"]:
            yield path, "tells of another model than is served"


def _measured(run: SimulatedRun, share: float) -> dict[str, int]:
    """By client, how many rows are measured of a share of the people."""
    rows = run.interactions()
    mask = evaluated(rows, share, run.config.seed)
    assert rows.client is not None
    counts = np.bincount(rows.client[mask], minlength=len(rows.client_ids)).tolist()
    return dict(zip(rows.client_ids, counts, strict=True))


def _served(run: SimulatedRun, entry: Mapping[str, Any]) -> str | None:
    """What an entry's adapter hash would be of what is served now; None where not everything is."""
    names = run.clients if run.pools else [each["id"] for each in entry["clients"]]
    found = {}
    for name in names:
        store = run.client(name)
        if store.published_in() not in (None, entry["round"]) or None in (store.ensemble.entries or [None]):
            return None
        found[name] = model_hash([*store.ensemble.named().values()])
    return hash_of(found)


def old_result(run: Run) -> Path | None:
    """The run's result.json, where it does not say what its rounds do."""
    path = run.folder / "result.json"
    if not path.exists() or run.rounds.last() is None:
        return None
    try:
        shown, told = alike(read_json(path)), alike(result_of(run))
        names = [each["strategy"] for each in shown["baselines"]]  # another one may be trained, or put back, since
        told["baselines"] = [each for each in told["baselines"] if each["strategy"] in names]
        return None if shown == told else path
    except (FedrecError, KeyError, TypeError):  # no result
        return path


def old_pages(run: SimulatedRun) -> Found:
    """Results and pages of the run and its baselines that are not of what their rounds say."""
    for each in (run, *run.baselines):
        if (path := old_result(each)) is not None:
            yield path, "not what the rounds tell"
        page = each.folder / "report.html"
        if each.rounds.last() is not None and page.exists() and digest(result_of(each)) not in page.read_text("utf-8"):
            yield page, "not a page of what the rounds tell"
