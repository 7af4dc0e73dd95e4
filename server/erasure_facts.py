"""What a run's page tells of its erasure requests: from the ledger, the certificates and the vaults here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime

import numpy as np

from fedrec.reporting.erasure_section import Closed, Erasures, Waiting
from server.run import Run
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.row import in_row
from unlearning.requests.request import Request
from unlearning.requests.states import OPEN, WITHDRAWN, State
from unlearning.workflow.workflow import Workflow


def erasures(run: Run, database: str | None = None) -> Erasures | None:
    """The erasure requests of a run; None where it has no ledger yet, or not the one of this database.

    Args:
        database: as `Workflow` takes it.
    """
    if not Workflow.is_open(run, database):
        return None
    workflow = Workflow(run, database)
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
        people=_people(run),
    )


def under_way(run: Run) -> str | None:
    """A request that withdrew shards and is not published yet, whatever it waits for."""
    if not Workflow.is_open(run):
        return None
    with closing(Workflow(run).ledger) as ledger:
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


def _people(run: Run) -> Mapping[str, list[int]]:
    """By client, how many people are in each shard; only of clients whose vaults are on this machine."""
    shards = {name: run.shard_of(users) for name, users in run.people().items()}
    return {name: np.bincount(found, minlength=run.config.shards).tolist() for name, found in shards.items()}
