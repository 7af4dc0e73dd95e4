"""The audit of a run's erasures: the log, the row of certificates, and the ledger and the operators against both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from fedrec.errors import FedrecError, command
from unlearning.audit import log
from unlearning.audit.canonical import digest
from unlearning.audit.chain import Line
from unlearning.certificates.certificate import SignedCertificate
from unlearning.certificates.chain import in_order, in_row, verify_chain
from unlearning.certificates.checks import check_bundle, read_parts
from unlearning.certificates.continuity import Said, behind, succession
from unlearning.certificates.verify import read_signed
from unlearning.requests.crosscheck import of_operators, of_requests
from unlearning.requests.request import Request
from unlearning.requests.states import OPEN, TERMINAL, State
from unlearning.workflow import progress
from unlearning.workflow.head import Head
from unlearning.workflow.workflow import Workflow

ACCEPTED = "findings-accepted"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was left.

    Attributes:
        about: a file, a request or an operator.
        request: whether it concerns that one request alone.
        seen: digest of what stands there instead, so that accepting it accepts no later alteration.
        accepted: an operator has seen it, and the work goes on.
    """

    about: str
    why: str
    request: bool = False
    seen: str = ""
    accepted: bool = False

    @property
    def mark(self) -> str:
        """By which the log names what was accepted."""
        return digest([self.about, self.why, self.seen])


def findings(
    workflow: Workflow, since: Head | None = None, evidence: bool = False, here: Iterable[tuple[str, str]] = ()
) -> list[Finding]:
    """Everything that is not as it was left; those that an operator accepted are marked.

    Args:
        since: what was kept elsewhere.
        evidence: check every certificate's evidence too, which takes its time where there are many.
        here: files of the model that are not as the certificates say, each with why.
    """
    lines, certificates, requests = _lines(workflow), _certificates(workflow), workflow.ledger.list()
    found = [
        *_of_log(workflow, certificates.values(), since),
        *_of_certificates(workflow, certificates, lines, since, evidence),
        *_of_erasures(workflow, certificates, lines),
        *_of_ledger(workflow, requests, lines),
        *_of_operators(workflow, lines),
        *_of_closed(requests, certificates),
        *(Finding(about, why) for about, why in here),
    ]
    return _marked(found, lines)


def unaccepted(workflow: Workflow) -> list[Finding]:
    """What nobody has accepted, as `run` and `status` look for it."""
    return [finding for finding in findings(workflow) if not finding.accepted]


def refuse_altered(workflow: Workflow) -> None:
    """Before anything is done, whether any request is open or not.

    Raises:
        FedrecError: something besides single open requests, which fail alone, is not as it was left.
    """
    _refuse(workflow, "nothing was done", findings(workflow, evidence=True))


def refuse_unproved(workflow: Workflow) -> None:
    """Before anything answers: what the ledger remembers of erasures, which old copies are known by, is not less than
    what is certified of them.

    Raises:
        FedrecError: certificates are missing or altered, or the ledger tells otherwise of them.
    """
    certificates, requests = _certificates(workflow), workflow.ledger.list()
    lines = _lines(workflow)
    found = [
        *_of_certificates(workflow, certificates, lines, since=None, evidence=False),
        *_of_erasures(workflow, certificates, lines),
        *_of_closed(requests, certificates),
    ]
    _refuse(workflow, "nothing answers", _marked(found, lines))


def _refuse(workflow: Workflow, then: str, found: Iterable[Finding]) -> None:
    found = [finding for finding in found if not (finding.accepted or finding.request)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise FedrecError(
            f"{found[0].about}: {found[0].why}{more}; {then}: "
            f"{command('forget audit --run', workflow.model.folder)} lists it, and goes on with --accept"
        )


def _marked(found: Iterable[Finding], lines: Iterable[Line]) -> list[Finding]:
    accepted = {mark for line in lines if line["event"] == ACCEPTED for mark in line["facts"].get("findings", ())}
    return [replace(one, accepted=one.mark in accepted) for one in dict.fromkeys(found)]


def _lines(workflow: Workflow) -> list[Line]:
    return log.read(workflow.audit.path) if workflow.audit.path.exists() else []


def _certificates(workflow: Workflow) -> dict[str, SignedCertificate | None]:
    """By the request that each is called by; None for what is none."""
    return {path.stem: read_signed(path) for path in sorted(workflow.certificates.glob("*.json"))}


def open_faults(workflow: Workflow) -> dict[str, str]:
    """Why an open request must not be carried out, by request: nobody vouches for it, or the log tells otherwise."""
    found = {finding.about.removeprefix("request "): finding.why for finding in unaccepted(workflow) if finding.request}
    for request in workflow.ledger.open_requests():
        if request.decision == "approved" and (why := workflow.unvouched(request)):
            found[request.id] = why  # also where it was accepted as a finding: that is no approval
    return found


def accept(workflow: Workflow, operator: str, found: Iterable[Finding]) -> None:
    """Go on in spite of what was found: it stays in the log by whom. Opens the operator's key, so that it is they."""
    workflow.key(operator)
    marks = sorted({finding.mark for finding in found})
    workflow.audit.append(ACCEPTED, operator=operator, findings=marks)


def _of_log(
    workflow: Workflow, certificates: Iterable[SignedCertificate | None], since: Head | None
) -> Iterator[Finding]:
    path = workflow.audit.path
    if not path.exists():
        if workflow.ledger.status()[1] or workflow.operators.operators() or since:
            yield Finding(path.name, "is gone; restore it from a backup")
        return
    told = {number: sha256(line).hexdigest() for number, line in enumerate(path.read_bytes().splitlines(), 1)}
    known = [signed.certificate.audit_head for signed in certificates if signed] + ([since.log] if since else [])
    for problem in log.check(path, known).problems:
        if problem.why != log.TORN:  # a crash's, mended by the next line
            yield Finding(f"{path.name}, line {problem.line}", problem.why, seen=told.get(problem.line, ""))


def _of_certificates(
    workflow: Workflow,
    certificates: Mapping[str, SignedCertificate | None],
    lines: Sequence[Line],
    since: Head | None,
    evidence: bool,
) -> Iterator[Finding]:
    trusted = workflow.operators.publics()
    if certificates:
        for check in verify_chain(workflow.certificates, trusted=trusted).checks:
            if not check.ok:
                yield Finding(f"certificates, {check.name}", check.why)
    if since and since.certificate is not None:
        there = {signed.digest for signed in certificates.values() if signed}
        if since.certificate not in there or len(there) < since.certificates:
            yield Finding("certificates", "those that were there when the head was kept are not all here")
    if not evidence:
        return
    for signed in certificates.values():
        if signed is not None:
            yield from _of_evidence(workflow, signed, lines)
    for said in began_with(workflow):
        if said.fault:
            yield Finding(f"certificate {said.request}", said.why)


def _of_evidence(workflow: Workflow, signed: SignedCertificate, lines: Sequence[Line]) -> Iterator[Finding]:
    id = signed.certificate.request
    checks = check_bundle(signed.certificate, workflow.bundle(id))
    for check in checks:
        if not check.ok:
            yield Finding(f"certificate {id}", f"{check.name}: {check.why}", seen=signed.digest)
    if all(check.ok for check in checks):
        told = {line["hash"] for line in read_parts(workflow.bundle(id))["operators.jsonl"]}
        if told - {line["hash"] for line in lines}:
            why = "its evidence tells of operators otherwise than the log"
            yield Finding(f"certificate {id}", why, seen=signed.digest)


def _of_erasures(
    workflow: Workflow, certificates: Mapping[str, SignedCertificate | None], lines: Sequence[Line]
) -> Iterator[Finding]:
    """The clients' erasures by the newest certificate that is closed: who strikes them from the ledger, by which old
    copies are known, does not get further than here."""
    under_way = _under_way(workflow)
    row = in_order(signed for id, signed in certificates.items() if signed and id not in under_way)
    if not row:
        return
    if found := [*_of_evidence(workflow, row[-1], lines)]:
        yield from found
        return
    told = read_parts(workflow.bundle(row[-1].certificate.request))["data_manifest.json"]["erasures_after"]
    known = workflow.ledger.chain_ends()
    for client in behind(told, known):
        why = f"it lacks erasures of {client} that certificate {row[-1].certificate.request} tells of; restore it"
        yield Finding("ledger", why, seen=digest([*known.get(client, ())]))


def began_with(workflow: Workflow) -> list[Said]:
    """What there is to say of what each certificate began with, and the one before it had left."""
    row, evidence = in_row(workflow.certificates), {}
    for signed in row:
        bundle = workflow.bundle(signed.certificate.request)
        if all(check.ok for check in check_bundle(signed.certificate, bundle)):
            evidence[signed.certificate.request] = read_parts(bundle)
    return list(succession(row, evidence))


def _of_ledger(workflow: Workflow, requests: Iterable[Request], lines: list[dict[str, Any]]) -> Iterator[Finding]:
    there = {request.id: request for request in requests}
    ended = {line["facts"].get("request") for line in lines if line["facts"].get("state") in TERMINAL}
    for id, why in of_requests(list(there.values()), lines, _under_way(workflow)):
        alone = id in there and there[id].state in OPEN and id not in ended
        yield Finding(f"request {id}", why, request=alone)
    for id, request in there.items():
        if request.decision == "approved" and (why := workflow.unvouched(request) or ""):
            yield Finding(f"request {id}", why, request=request.state in OPEN)


def _of_closed(requests: Iterable[Request], certificates: Mapping[str, SignedCertificate | None]) -> Iterator[Finding]:
    """Each closed request has the certificate that the ledger names, and each certificate its closed request."""
    there = {request.id: request for request in requests}
    for id, request in there.items():
        if request.state == State.CLOSED:
            signed = certificates.get(id)
            if signed is None or signed.digest != request.certificate:
                seen = digest([request.certificate, signed and signed.digest])
                yield Finding(f"request {id}", "its certificate is not the one that the ledger names", seen=seen)
    for id in certificates:
        if id not in there or there[id].state not in (State.CLOSED, *_CERTIFYING):
            yield Finding(f"certificate {id}", "the ledger knows no request that it closed")


_CERTIFYING = (State.PUBLISHED, State.HELD, State.FAILED)
"""States in which a request may be whose certificate is written and which is not closed yet."""


def _of_operators(workflow: Workflow, lines: list[dict[str, Any]]) -> Iterator[Finding]:
    entries = {operator.name: digest(operator.model_dump(mode="json")) for operator in workflow.operators.operators()}
    for name, why in of_operators(workflow.operators.operators(), lines):
        yield Finding(f"operator {name}", why, seen=entries.get(name, ""))
    for path in sorted(workflow.operators.folder.glob("*.key")):
        yield Finding(f"operators/{path.name}", "a private key in the run: move it into its owner's own folder")


def _under_way(workflow: Workflow) -> set[str]:
    batches = workflow.folder.glob("batches/*/batch.json")
    return {id for path in batches for id in progress.named(path)}
