"""The audit of a run's erasures: the log, the row of certificates, and the ledger and the operators against both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

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
from unlearning.requests.states import OPEN, OUT, TERMINAL, State
from unlearning.workflow import progress
from unlearning.workflow.log_head import Head
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


@dataclass(frozen=True)
class _Kept:
    """What is kept of a model's erasures, each read once."""

    workflow: Workflow

    @cached_property
    def lines(self) -> list[Line]:
        return log.read(self.workflow.audit.path)

    @cached_property
    def requests(self) -> dict[str, Request]:
        return {request.id: request for request in self.workflow.ledger.list()}

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """The requests whose rows cannot be read, and why."""
        return {each.id: each.why for each in self.workflow.ledger.unreadable()}

    @cached_property
    def certificates(self) -> dict[str, SignedCertificate | None]:
        """By the request that each is called by; None for what is none."""
        return {path.stem: read_signed(path) for path in sorted(self.workflow.certificates.glob("*.json"))}

    @cached_property
    def signed(self) -> list[SignedCertificate]:
        return [signed for signed in self.certificates.values() if signed]

    @cached_property
    def under_way(self) -> set[str]:
        """The requests of batches that were broken off."""
        paths = self.workflow.folder.glob("batches/*/batch.json")
        return {id for path in paths for id in progress.named(path)}

    def marked(self, found: Iterable[Finding]) -> list[Finding]:
        """Each once, and whether an operator has accepted it."""
        told = (line["facts"].get("findings", ()) for line in self.lines if line["event"] == ACCEPTED)
        accepted = {mark for marks in told for mark in marks}
        return [replace(one, accepted=one.mark in accepted) for one in dict.fromkeys(found)]


def findings(
    workflow: Workflow, since: Head | None = None, evidence: bool = False, here: Iterable[tuple[str, str]] = ()
) -> list[Finding]:
    """Everything that is not as it was left; those that an operator accepted are marked.

    Args:
        since: what was kept elsewhere.
        evidence: check every certificate's evidence too, which takes its time where there are many.
        here: files of the model that are not as the certificates say, each with why.
    """
    kept = _Kept(workflow)
    return kept.marked(
        [
            *_of_log(kept, since),
            *_of_certificates(kept, since),
            *(_of_all_evidence(kept) if evidence else ()),
            *_of_erasures(kept),
            *_of_ledger(kept),
            *_of_unreadable(kept),
            *_of_operators(kept),
            *_of_closed(kept),
            *(Finding(about, why) for about, why in here),
        ]
    )


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
    kept = _Kept(workflow)
    found = [*_of_certificates(kept, None), *_of_erasures(kept), *_of_closed(kept), *_of_unreadable(kept)]
    _refuse(workflow, "nothing answers", kept.marked(found))


def _refuse(workflow: Workflow, then: str, found: Iterable[Finding]) -> None:
    found = [finding for finding in found if not (finding.accepted or finding.request)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise FedrecError(
            f"{found[0].about}: {found[0].why}{more}; {then}: "
            f"{command('forget audit --run', workflow.model.folder)} lists it, and goes on with --accept"
        )


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


def began_with(workflow: Workflow) -> list[Said]:
    """What there is to say of what each certificate began with, and the one before it had left."""
    row, evidence = in_row(workflow.certificates), {}
    for signed in row:
        bundle = workflow.bundle(signed.certificate.request)
        if all(check.ok for check in check_bundle(signed.certificate, bundle)):
            evidence[signed.certificate.request] = read_parts(bundle)
    return list(succession(row, evidence))


def _of_log(kept: _Kept, since: Head | None) -> Iterator[Finding]:
    path = kept.workflow.audit.path
    if not path.exists():
        if kept.requests or kept.workflow.operators.operators() or since:
            yield Finding(path.name, "is gone; restore it from a backup")
        return
    told = {number: sha256(line).hexdigest() for number, line in enumerate(path.read_bytes().splitlines(), 1)}
    known = [signed.certificate.audit_head for signed in kept.signed] + ([since.log] if since else [])
    for problem in log.check(path, known).problems:
        if problem.why != log.TORN:  # a crash's, mended by the next line
            yield Finding(f"{path.name}, line {problem.line}", problem.why, seen=told.get(problem.line, ""))


def _of_certificates(kept: _Kept, since: Head | None) -> Iterator[Finding]:
    trusted = kept.workflow.operators.publics()
    if kept.certificates:
        for check in verify_chain(kept.workflow.certificates, trusted=trusted).checks:
            if not check.ok:
                yield Finding(f"certificates, {check.name}", check.why)
    if since and since.certificate is not None:
        there = {signed.digest for signed in kept.signed}
        if since.certificate not in there or len(there) < since.certificates:
            yield Finding("certificates", "those that were there when the head was kept are not all here")


def _of_all_evidence(kept: _Kept) -> Iterator[Finding]:
    for signed in kept.signed:
        yield from _of_evidence(kept, signed)
    for said in began_with(kept.workflow):
        if said.fault:
            yield Finding(f"certificate {said.request}", said.why)


def _of_evidence(kept: _Kept, signed: SignedCertificate) -> Iterator[Finding]:
    id, bundle = signed.certificate.request, kept.workflow.bundle(signed.certificate.request)
    faults = [f"{check.name}: {check.why}" for check in check_bundle(signed.certificate, bundle) if not check.ok]
    if not faults:
        told = {line["hash"] for line in read_parts(bundle)["operators.jsonl"]}
        if told - {line["hash"] for line in kept.lines}:
            faults.append("its evidence tells of operators otherwise than the log")
    yield from (Finding(f"certificate {id}", why, seen=signed.digest) for why in faults)


def _of_erasures(kept: _Kept) -> Iterator[Finding]:
    """The clients' erasures by the newest certificate that is closed: who strikes them from the ledger, by which old
    copies are known, does not get further than here."""
    row = in_order(signed for id, signed in kept.certificates.items() if signed and id not in kept.under_way)
    if not row:
        return
    if found := [*_of_evidence(kept, row[-1])]:
        yield from found
        return
    id, known = row[-1].certificate.request, kept.workflow.ledger.chain_ends()
    told = read_parts(kept.workflow.bundle(id))["data_manifest.json"]["erasures_after"]
    for client in behind(told, known):
        why = f"it lacks erasures of {client} that certificate {id} tells of; restore it"
        yield Finding("ledger", why, seen=digest([*known.get(client, ())]))


def _of_ledger(kept: _Kept) -> Iterator[Finding]:
    there = kept.requests
    ended = {line["facts"].get("request") for line in kept.lines if line["facts"].get("state") in TERMINAL}
    for id, why in of_requests(list(there.values()), kept.lines, kept.under_way):
        if id in kept.unreadable:
            continue
        alone = id in there and there[id].state in OPEN and id not in ended
        yield Finding(f"request {id}", why, request=alone)
    for id, request in there.items():
        if request.decision == "approved" and (why := kept.workflow.unvouched(request) or ""):
            yield Finding(f"request {id}", why, request=request.state in OPEN)
    for id, why, mark in kept.workflow.ledger.unmarked():
        yield Finding(f"request {id}", why, request=True, seen=digest(repr(mark)))


def _of_unreadable(kept: _Kept) -> Iterator[Finding]:
    """It concerns that request alone, unless something of it was carried out."""
    begun = {line["facts"].get("request") for line in kept.lines if line["facts"].get("state") in (*OUT, State.CLOSED)}
    for id, why in kept.unreadable.items():
        yield Finding(f"request {id}", why, request=id not in begun)


def _of_closed(kept: _Kept) -> Iterator[Finding]:
    """Each closed request has the certificate that the ledger names, and each certificate its closed request."""
    for id, request in kept.requests.items():
        if request.state == State.CLOSED:
            signed = kept.certificates.get(id)
            if signed is None or signed.digest != request.certificate:
                seen = digest([request.certificate, signed and signed.digest])
                yield Finding(f"request {id}", "its certificate is not the one that the ledger names", seen=seen)
    certifying = (State.CLOSED, State.PUBLISHED, State.HELD, State.FAILED)  # or with one that is not closed yet
    for id in kept.certificates:
        if id in kept.unreadable:
            continue
        if id not in kept.requests or kept.requests[id].state not in certifying:
            yield Finding(f"certificate {id}", "the ledger knows no request that it closed")


def _of_operators(kept: _Kept) -> Iterator[Finding]:
    registry = kept.workflow.operators
    entries = {operator.name: digest(operator.model_dump(mode="json")) for operator in registry.operators()}
    for name, why in of_operators(registry.operators(), kept.lines):
        yield Finding(f"operator {name}", why, seen=entries.get(name, ""))
    for path in sorted(registry.folder.glob("*.key")):
        yield Finding(f"operators/{path.name}", "a private key in the run: move it into its owner's own folder")
