"""A batch that is verified: served, measured, looked for once more, certified, closed. Each step can be repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from unlearning.audit.log import excerpt
from unlearning.certificates.chain import newest
from unlearning.certificates.claims import NOTHING_FOUND
from unlearning.certificates.times import SERVED
from unlearning.certificates.verify import read_signed
from unlearning.executor import Retrained
from unlearning.requests.states import WITHDRAWN, State
from unlearning.way import Way
from unlearning.workflow import progress, proof
from unlearning.workflow.progress import Verified
from unlearning.workflow.proof import Done
from unlearning.workflow.work import Work


def close(work: Work, folder: Path, batch: Verified) -> list[str]:
    """Serve, measure, certify and close a batch as it is noted in its folder; the requests that it is of."""
    ids, shards, ledger = batch.requests, batch.shards, work.workflow.ledger
    retrained = progress.answered(work.executor, shards, folder, batch.way)
    work.reach(ids, State.PUBLISHED)
    there: set[str] = set()
    if waiting := [id for id in ids if ledger.get(id).state != State.CLOSED]:
        withdrawn = _withdrawn_by_others(work)
        work.executor.serve(shards, retrained.adapters, withdrawn)
        _tell_served(work, folder, batch, withdrawn)
        if any(work.claim(id) != NOTHING_FOUND for id in ids):
            work.executor.measure(shards, retrained.adapters, progress.rounds_of(folder, batch.way))
        work.executor.discard_erased(ids)
        there = _there_again(work, waiting)
    ready = [id for id in waiting if id not in there]
    certified = work.each(ready, lambda id, *_: _certify(work, id, batch, retrained, folder))
    there |= {*ready} - {*certified}
    for id in ids:
        if id not in there:
            end(work, id)
    (folder / "batch.json").unlink()
    return list(ids)


def end(work: Work, id: str) -> None:
    """Told in the audit log, once, and nobody can learn any more whom it was about."""
    log = work.workflow.audit
    if not any(line.get("event") == "certified" for line in excerpt(log.path, id)):
        log.append("certified", request=id, certificate=work.workflow.ledger.get(id).certificate)
    work.workflow.ledger.destroy_subject(id)


def _withdrawn_by_others(work: Work) -> set[int]:
    """Shards that must not be served yet: of requests that were withdrawn and then held, or failed."""
    requests = work.workflow.ledger.open_requests()
    return {shard for request in requests if request.reached in WITHDRAWN for shard in request.shards or ()}


def _tell_served(work: Work, folder: Path, batch: Verified, withdrawn: Collection[int]) -> None:
    """In the audit log, of each request all of whose shards are back, once; and to whoever is there."""
    back = [id for id in batch.requests if {*withdrawn}.isdisjoint(work.shards([id]))]
    if not batch.served:
        by = {"method": batch.way.value} if batch.way == Way.APPROXIMATE else {}
        for id in back:
            work.workflow.audit.append(SERVED, request=id, **by)
        progress.note_verified(folder, work.key, batch.model_copy(update={"served": True}))
    seconds = work.times(back[0]).restored_seconds if back else None
    after = f"served again after {seconds:.1f} s" if seconds is not None else "served again"
    out = sorted({*batch.shards} & {*withdrawn})
    kept = f", but for shards {', '.join(map(str, out))}, which another request keeps out" if out else ""
    work.say(after + kept)


def _there_again(work: Work, ids: Sequence[str]) -> set[str]:
    """The requests of which something came back since their verification: they fail, and stay open."""
    unsigned = [id for id in ids if not _is_signed(work, id)]
    left = work.left(unsigned)
    for id, traces in left.items():
        if traces:
            work.fail(id, f"{traces} traces of it came back after its verification; once released it is done again")
    return {id for id in unsigned if left.get(id) != 0}


def _is_signed(work: Work, id: str) -> bool:
    """Whether its certificate was signed before the work was broken off."""
    path = work.workflow.certificates / f"{id}.json"
    signed = read_signed(path) if path.exists() else None
    return signed is not None and signed.certificate.request == id


def _certify(work: Work, id: str, batch: Verified, retrained: Retrained, folder: Path) -> None:
    """Sign the certificate and close the request.

    Args:
        folder: keeps what the certificate was first issued with.
    """
    workflow, path = work.workflow, folder / f"issued-{id}.json"
    issued = progress.noted(path, work.key)
    if issued is None:
        issued = {"at": proof.now(), "previous": newest(workflow.certificates, but=id)}
        progress.note(path, work.key, issued)
    done = Done(workflow, work.signer, workflow.ledger.get(id), batch, retrained, batch.reports[id])
    signed = proof.certify(done, issued["at"], issued["previous"])
    workflow.ledger.advance(id, State.CLOSED, certificate=signed.digest)
