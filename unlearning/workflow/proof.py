"""The certificate of an erasure and its evidence, from what was done and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fedrec.errors import FedrecError
from fedrec.protocol.adapters import digest_of
from unlearning.audit import log
from unlearning.audit.canonical import digest
from unlearning.audit.chain import ORIGIN
from unlearning.certificates.bundle import BRIDGE, as_written, participation, write_bundle
from unlearning.certificates.certificate import SignedCertificate, certificate_of, issue
from unlearning.certificates.chain import newest
from unlearning.certificates.checks import check_parts
from unlearning.certificates.signatures import approval_of
from unlearning.certificates.times import answered, bridged, times
from unlearning.executor import Retrained
from unlearning.operators.registry import REGISTERED, REVOKED, told
from unlearning.requests.request import Request
from unlearning.verification import (
    Report,
    unmeasured,
)
from unlearning.way import Way
from unlearning.workflow.correspondence import write_documents
from unlearning.workflow.measuring import before_of
from unlearning.workflow.progress import Verified
from unlearning.workflow.workflow import Workflow


class Unproved(FedrecError):
    """What is to be certified does not hold together."""


@dataclass(frozen=True)
class Done:
    """An erasure whose certificate is made.

    Attributes:
        signer: the operator who signs it.
        batch: that it was carried out in.
        retrained: what the batch's retraining gave.
    """

    workflow: Workflow
    signer: str
    request: Request
    batch: Verified
    retrained: Retrained
    report: Report

    @property
    def plan(self) -> Mapping[str, Any]:
        return self.request.plan or {}

    @property
    def claim(self) -> str:
        """The planned one of the answer that came about."""
        return str((self.plan["approximate"] if self.batch.way == Way.APPROXIMATE else self.plan)["claim"])

    @property
    def bridge(self) -> Report | None:
        """By what the approximate answer was verified that was served before."""
        return self.batch.bridge.get(self.request.id)

    @property
    def places(self) -> dict[int, int]:
        """The request's shards, each with its place among those that were trained again."""
        own = self.request.shards or ()
        return {shard: place for place, shard in enumerate(self.batch.shards) if shard in own}


def certify(done: Done, at: str, previous: str | None) -> SignedCertificate:
    """Write a request's evidence, certificate, page and reply. The same facts give the same bytes.

    Args:
        at, previous: when it was first issued, and after which certificate.

    Raises:
        Unproved: it would not be verified; nothing is signed or written.
    """
    workflow, id, key = done.workflow, done.request.id, done.workflow.key(done.signer)
    facts, parts = _proved(done, at, previous)
    facts["evidence"] = write_bundle(workflow.bundle(id), parts)
    signed = issue(facts, key, previous)
    signed.save(workflow.certificates / f"{id}.json")
    write_documents(workflow, done.request, signed, done.report)
    return signed


def check(done: Done) -> None:
    """
    Raises:
        Unproved: a certificate of this would not be verified.
    """
    _proved(done, now(), newest(done.workflow.certificates, but=done.request.id))


def _proved(done: Done, at: str, previous: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts of a certificate but for `evidence`, and the parts of its evidence.

    Raises:
        Unproved: what `verify` will check of them does not hold.
    """
    workflow, parts = done.workflow, _evidence(done)
    facts = _facts(done, parts) | _approval(done.request, parts, workflow.operators.operator(done.signer).key_id)
    facts |= times(parts["audit.jsonl"], done.request.id)._asdict()
    recipients = [{"name": client, "notified": at[:10]} for client in sorted(done.batch.after)]
    told = answered(parts["audit.jsonl"], done.request.id)
    answers = [{"client": client, "at": heard.isoformat()} for client, heard in told.items()]
    facts |= {"recipients": recipients, "issued_at": at, "answered": answers}
    public = workflow.key(done.signer).public_key().public_bytes_raw()
    try:
        checks = check_parts(certificate_of({**facts, "evidence": ORIGIN}, public, previous), as_written(parts))
    except ValueError as error:  # what a client answered has no place in a certificate
        raise Unproved(f"no certificate can be made of it: {error}") from None
    if why := "; ".join(f"{each.name}: {each.why}" for each in checks if not each.ok):
        raise Unproved(f"its certificate would not be verified, so none is signed: {why}")
    return facts, parts


def _evidence(done: Done) -> dict[str, Any]:
    """The files of the bundle, by name."""
    request, plan, workflow, final = done.request, done.plan, done.workflow, done.retrained.adapters
    lines = log.read(workflow.audit.path)
    return {
        "request.json": {
            "id": request.id,
            "pseudonym": request.pseudonym,
            "received_at": request.received_at.isoformat(),
            "ground": request.ground,
            "channel": request.channel,
        },
        "signatures.json": {says: each.model_dump(mode="json") for says, each in workflow.signatures(request).items()},
        "operators.jsonl": [line for line in lines if line["event"] in (REGISTERED, REVOKED)],
        "plan.json": plan,
        "config.json": workflow.model.configuration,
        "participation.jsonl": participation(
            [each for each in done.retrained.participation if each.shard in done.places]
        ),
        "adapters.json": [
            {
                "client": client,
                "shard": shard,
                "before": before_of(plan, client, shard) or None,
                "after": digest_of(final[client][place]),
            }
            for client in sorted(final)
            for shard, place in done.places.items()
        ],
        "data_manifest.json": {
            "before": plan["data_before"],
            "after": done.batch.after,
            "erasures_after": done.batch.erasures,
        },
        "verification.json": done.report.model_dump(mode="json"),
        "audit.jsonl": log.excerpt(workflow.audit.path, request.id),
        **({BRIDGE: done.bridge.model_dump(mode="json")} if done.bridge is not None else {}),
    }


def _facts(done: Done, parts: Mapping[str, Any]) -> dict[str, Any]:
    """What the certificate says of the erasure, as the evidence shows it."""
    request, plan, report, data = done.request, done.plan, done.report, parts["data_manifest.json"]
    trained = bool(done.places)
    return {
        "request": request.id,
        "pseudonym": request.pseudonym,
        "scope": request.scope.conditions,
        "client": request.scope.client,
        "method": done.retrained.method if trained else "record-erasure",
        "claim": done.claim,
        "code_version": f"fedrec {version('fedrec')}",
        "config": digest(parts["config.json"]),
        "seeds": {"run": parts["config.json"]["seed"]},
        "dataset_before": digest(data["before"]),
        "dataset_after": digest(data["after"]),
        "adapters": parts["adapters.json"],
        "shards": [*done.places],
        "rounds": done.retrained.rounds if trained else 0,
        "clients": sorted(done.retrained.adapters) if trained else [],
        "verification_report": digest(parts["verification.json"]),
        "verdict": report.verdict,
        "unequal_adapters": report.measures.unequal_adapters,
        "not_measured": unmeasured(report.measures) if trained and plan["clients"] else (),
        "tombstone": request.id,
        "exceptions": [{"what": what} for what in plan["exceptions"]],
        "elsewhere": [{"what": what} for what in plan["elsewhere"]],
        "audit_head": parts["audit.jsonl"][-1]["hash"],
        "bridge": _bridge(done, parts),
    }


def _bridge(done: Done, parts: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the certificate says of the approximate answer that was served before."""
    if BRIDGE not in parts:
        return None
    served, replaced = bridged(parts["audit.jsonl"], done.request.id)
    return {
        "claim": done.plan["approximate"]["claim"],
        "served_at": served,
        "replaced_at": replaced,
        "verification_report": digest(parts[BRIDGE]),
    }


def _approval(request: Request, parts: Mapping[str, Any], signer: str) -> dict[str, Any]:
    """Who asked, who approved, and how far they and the signer, by the id of the key, are different people."""
    known = told(parts["operators.jsonl"])
    asked, approved = (known[request.signatures[says].operator] for says in ("asked", "approved"))
    return {
        "operators": {"requester": asked.key_id, "approver": approved.key_id},
        "approval": approval_of(asked, approved, request.recorded_at, signer),
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
