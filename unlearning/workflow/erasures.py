"""What a model's page tells of its erasure requests: from the ledger, the certificates and the vaults here."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

from fedrec.reporting.erasure_section import Closed, Erasures, Waiting
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.chain import in_row
from unlearning.executor import TrainedModel
from unlearning.requests.request import Request
from unlearning.requests.states import OPEN, WITHDRAWN, State
from unlearning.workflow.workflow import Workflow


def erasures(model: TrainedModel, database: str | None = None) -> Erasures | None:
    """The erasure requests about a model; None where it has no ledger yet, or not the one of this database.

    Args:
        database: as `Workflow` takes it.
    """
    if not Workflow.is_open(model, database):
        return None
    workflow = Workflow(model, database)
    with closing(workflow.ledger) as ledger:
        found = ledger.list()
    signed = {each.digest: each.certificate for each in in_row(workflow.certificates)}
    place = {digest: number for number, digest in enumerate(signed)}
    closed = [request for request in found if request.state == State.CLOSED]
    closed.sort(key=lambda request: place.get(request.certificate or "", -1), reverse=True)
    return Erasures(
        on=datetime.now(UTC).date(),
        counts=Counter(request.state.value for request in found),
        waiting=[_waiting(request) for request in found if request.state in OPEN],
        closed=[_closed(request, signed.get(request.certificate or "")) for request in closed],
        people=model.shard_sizes(),
    )


def under_way(model: TrainedModel) -> str | None:
    """A request that withdrew shards and is not published yet, whatever it waits for."""
    if not Workflow.is_open(model):
        return None
    with closing(Workflow(model).ledger) as ledger:
        return next((request.id for request in ledger.open_requests() if request.reached in WITHDRAWN), None)


def _waiting(request: Request) -> Waiting:
    return Waiting(
        id=request.id,
        kind=request.scope.kind.value,
        state=request.state.value,
        received=request.received_at.date(),
        due=request.due_at,
        extended=request.extended,
    )


def _closed(request: Request, certificate: Certificate | None) -> Closed:
    """As its certificate says; without one only what was planned."""
    return Closed(
        id=request.id,
        kind=request.scope.kind.value,
        closed=certificate.issued_at.date() if certificate else None,
        shards=request.shards or (),
        rounds=(request.plan or {}).get("rounds", 0),
        withdrawn=certificate.withdrawn_seconds if certificate else None,
        restored=certificate.restored_seconds if certificate else None,
        certificate=certificate is not None,
    )
