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
from server.reference import Reference
from server.results import hash_of, result_of, results_of
from server.rounds import Entry
from server.run import Run

if TYPE_CHECKING:
    from server.simulated_run import SimulatedRun

Found = Iterator[tuple[Path, str]]


def stale_figures(run: SimulatedRun) -> Found:
    """What tells of rows that are there no longer, of a run that had some erased."""
    if run.reference != Reference.of(finite(run.main.measured_anew().content())):
        yield run.folder / "reference.json", "tells of other rows than are there"
    last = run.rounds.last()
    if last == run.config.federation.rounds:
        for entry in run.rounds.history()[:last]:
            if entry.clients:
                yield run.rounds.path(entry.round), "tells what erased rows were measured with"
        yield from stale_entries(run)


def stale_entries(run: SimulatedRun) -> Found:
    """The rounds that were measured on other rows than are there, or of which the last measured another model."""
    measured = cache(partial(_measured, run))  # the rows are read once a share, not once a round
    for entry in run.rounds.history():
        there = measured(entry.share) if entry.clients else {}
        if any(each["examples"] != there.get(each["id"], 0) for each in entry.clients or ()):
            yield run.rounds.path(entry.round), "tells of other rows than are there"
        elif entry.round == run.rounds.last() and _served(run, entry) not in (None, entry.adapter_hash):
            yield run.rounds.path(entry.round), "tells of another model than is served"


def _measured(run: SimulatedRun, share: float) -> dict[str, int]:
    """By client, how many rows are measured of a share of the people."""
    rows = run.interactions()
    mask = evaluated(rows, share, run.config.seed)
    assert rows.client is not None
    counts = np.bincount(rows.client[mask], minlength=len(rows.client_ids)).tolist()
    return dict(zip(rows.client_ids, counts, strict=True))


def _served(run: SimulatedRun, entry: Entry) -> str | None:
    """What an entry's adapter hash would be of what is served now; None where not everything is."""
    names = run.clients if run.pools else [each["id"] for each in entry.clients or ()]
    found = {}
    for name in names:
        store = run.client(name)
        if store.published_in() not in (None, entry.round) or None in (store.ensemble.entries or [None]):
            return None
        found[name] = model_hash([*store.ensemble.named().values()])
    return hash_of(found)


def is_stale_result(path: Path, told: Mapping[str, Any]) -> bool:
    """Whether a result.json is there and does not say what the rounds do, as `result_of` tells it."""
    if not path.exists():
        return False
    try:
        shown, right = alike(read_json(path)), alike({**told})
        names = [each["strategy"] for each in shown["baselines"]]  # another one may be trained, or put back, since
        right["baselines"] = [each for each in right["baselines"] if each["strategy"] in names]
        return shown != right
    except (FedrecError, KeyError, TypeError):  # no result
        return True


def stale_pages(run: Run) -> Found:
    """Results and pages of the run and its baselines that are not of what their rounds say."""
    if run.rounds.last() is None:
        return
    for folder, told in results_of(run, result_of(run)).items():
        if is_stale_result(path := folder / "result.json", told):
            yield path, "not what the rounds tell"
        page = folder / "report.html"
        if page.exists() and digest({**told}) not in page.read_text("utf-8"):
            yield page, "not a page of what the rounds tell"
