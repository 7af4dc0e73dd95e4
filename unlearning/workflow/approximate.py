"""The approximate answer of a batch: unlearned, rehearsed, and, where it bridges, served until the exact one is there.

The erased rows wait, sealed, as they do for every verification; the adapters that had learned from them are withdrawn,
and kept where they were. Whatever is broken off before the answer is noted is made again from both.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.text import one_line
from unlearning.audit import log
from unlearning.certificates.times import BRIDGED, UNBRIDGED, bridged
from unlearning.requests.states import WITHDRAWN
from unlearning.verification import Report
from unlearning.way import Way
from unlearning.workflow import measuring, progress
from unlearning.workflow.progress import Bridging
from unlearning.workflow.work import Work


def answer(work: Work, ids: Sequence[str], shards: Sequence[int], folder: Path) -> dict[str, Report] | None:
    """Unlearn the shards for some requests; the report of each.

    Returns:
        None where that cannot be done, or is not shown to be enough for one of them: they are trained again instead.
    """
    place = progress.rounds_of(folder, Way.APPROXIMATE)
    shutil.rmtree(place, ignore_errors=True)  # of a start that was broken off: nobody signed it
    try:
        before = work.executor.originals(shards)
        models = work.executor.unlearn(ids, shards, place)
        requests = [work.workflow.ledger.get(id) for id in ids]
        facts = measuring.measured(work.executor, requests, shards, models, None, before)
        traces = {id: work.traces(id) for id in ids}
    except FedrecError as error:
        work.say(f"not approximately, so it is trained again: {one_line(str(error))}")
        return None
    reports = {each.id: measuring.judged(each, traces[each.id], facts, Way.APPROXIMATE) for each in requests}
    for report in reports.values():
        if report.verdict == "FAIL":
            why = "; ".join(f"{each.name}: {each.why}" for each in report.distances if not each.ok)
            work.say(f"the approximate answer is not shown to be enough, so it is trained again: {why}")
            return None
    return reports


def bridge(work: Work, reports: dict[str, Report], shards: Sequence[int], folder: Path) -> Bridging | None:
    """Serve the approximate answer until the exact one is there; None where another request keeps a shard out."""
    waiting = [each for each in work.workflow.ledger.open_requests() if each.reached in WITHDRAWN]
    if any({*shards} & {*(each.shards or ())} for each in waiting if each.id not in reports):
        work.say("another request keeps a shard out of use, so the approximate answer is not served")
        return None
    unlearned = progress.answered(work.executor, shards, folder, Way.APPROXIMATE)
    work.executor.serve(shards, unlearned.adapters)
    for id in reports:
        work.workflow.audit.append(BRIDGED, request=id)
    found = Bridging(reports=reports, shards=tuple(shards), rounds=progress.mark(unlearned))
    progress.note_bridging(folder, work.key, found)
    work.say("the approximate answer is served until the exact one is trained")
    return found


def standing(work: Work, ids: Sequence[str], folder: Path) -> Bridging | None:
    """What bridges for these requests since a start that was broken off; it is served when this returns."""
    found = progress.bridging(work.executor, folder, work.key)
    if found is None or found.reports.keys() != {*ids}:
        return None
    unlearned = progress.answered(work.executor, found.shards, folder, Way.APPROXIMATE)
    work.executor.serve(found.shards, unlearned.adapters)  # a client may have lost it since
    work.say("the approximate answer is served since an earlier start; the exact one is trained")
    return found


def unbridge(work: Work, ids: Iterable[str]) -> None:
    """Tell in the audit log that what bridged for these requests was withdrawn, as they are carried out in other
    company now, or by somebody else."""
    lines = log.read(work.workflow.audit.path)
    for id in ids:
        if bridged(lines, id)[0] is not None:
            work.workflow.audit.append(UNBRIDGED, request=id)
