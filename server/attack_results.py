"""RUN/attacks/NAME.json: what attacks on a run have found, as long as it is of the model that the run has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.privacy.attacks.finding import Report
from server.run import Run

_FOLDER = "attacks"


def keep(run: Run, report: Report) -> None:
    """In place of what the same attack found before."""
    write_json(run.folder / _FOLDER / f"{report.attack}.json", report.content())


def found(run: Run) -> list[Report]:
    """What was found of the model that the run has now, by name of the attack."""
    now = run.result.get("adapter_hash")
    return [report for _, report in _all(run) if report is not None and report.adapter_hash == now]


def drop_outdated(run: Run) -> None:
    """Remove what was found of a model that the run no longer has: it may tell of rows that are erased."""
    now = run.result.get("adapter_hash")
    for path, report in _all(run):
        if report is None or report.adapter_hash != now:
            path.unlink()


def _all(run: Run) -> Iterator[tuple[Path, Report | None]]:
    """Each with its file; None of one that cannot be read."""
    for path in sorted((run.folder / _FOLDER).glob("*.json")):
        try:
            yield path, Report.of(read_json(path))
        except (FedrecError, KeyError, TypeError):
            yield path, None
