"""What is measured after an erasure, and the certificate and evidence that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from fedrec.errors import FedrecError
from fedrec.files import finite
from fedrec.privacy.coarsening import coarse_change, coarse_membership
from fedrec.protocol.adapters import Model, digest_of
from unlearning.audit import log
from unlearning.audit.canonical import digest
from unlearning.audit.chain import ORIGIN
from unlearning.certificates.bundle import as_written, participation, write_bundle
from unlearning.certificates.certificate import SignedCertificate, certificate_of, issue
from unlearning.certificates.chain import newest
from unlearning.certificates.checks import check_parts
from unlearning.certificates.signatures import approval_of
from unlearning.certificates.times import times
from unlearning.executor import Executor, Retrained
from unlearning.operators.registry import REGISTERED, REVOKED, told
from unlearning.requests.request import Request
from unlearning.verification import (
    Measures,
    Report,
    Thresholds,
    adapter_faults,
    unmeasured,
    verdict,
)
from unlearning.workflow.correspondence import write_documents
from unlearning.workflow.progress import Verified
from unlearning.workflow.workflow import Workflow


class Unproved(FedrecError):
    """What is to be certified does not hold together."""


def measured(
    executor: Executor,
    requests: Sequence[Request],
    shards: Sequence[int],
    models: Mapping[str, Model],
    unequal: int | None,
) -> dict[str, Any]:
    """What is measured of retrained shards before they are served, which all requests have in common.

    Args:
        unequal: adapters that a second training did not give again; None = there was none.
    """
    facts: dict[str, Any] = {"adapters_not_finite": 0, "adapters_untrained": 0, "unequal_adapters": unequal}
    if shards:
        rehearsal = executor.rehearse([request.id for request in requests], shards, models)
        told = coarse_membership(np.array(rehearsal.forgotten), np.array(rehearsal.unseen))
        facts |= finite(dict(zip(("membership_auc", "membership_low", "membership_high"), told, strict=True)))
        if rehearsal.utility is not None:
            change = coarse_change(*rehearsal.utility)
            facts |= dict(zip(("utility", "utility_low", "utility_high"), change, strict=True))
        tensors = [_named(state) for model in models.values() for state in model if _taught(state)]
        facts["adapters_not_finite"], facts["adapters_untrained"] = adapter_faults(tensors)
        facts["unanswered"] = rehearsal.unanswered
        if rehearsal.forgotten:
            facts["adapters_unchanged"] = _unchanged(requests, shards, models)
    return facts


def judged(request: Request, traces: int, facts: Mapping[str, Any]) -> Report:
    """By the thresholds that the request's own plan fixed.

    Args:
        traces: how much of it was found after the erasure.
        facts: as `measured` gives them.
    """
    plan = request.plan or {}
    own = tuple(client for client in facts.get("unanswered", ()) if client in plan["clients"])
    measures = Measures.model_validate({"traces": traces, **facts, "unanswered": own})
    return verdict(measures, Thresholds.model_validate(plan["thresholds"]))


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
    facts |= {"recipients": recipients, "issued_at": at}
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
                "before": _before(plan, client, shard) or None,
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
        "claim": plan["claim"],
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


def _unchanged(requests: Sequence[Request], shards: Sequence[int], models: Mapping[str, Model]) -> int | None:
    """How many adapters are as they were, where all are; None where what they were, or had learned, is not known.

    Rows that came or went since a shard was trained may be the ones that are erased, and it never had them.
    """
    plans = [request.plan or {} for request in requests]
    if any(plan["changed"] for plan in plans):
        return None
    before = {
        (client, shard): _before(plan, client, shard) for plan in plans for client in models for shard in plan["shards"]
    }
    after = {
        (client, shard): digest_of(state)
        for client, model in models.items()
        for shard, state in zip(shards, model, strict=True)
    }
    if not all(before.get(each) for each in after):
        return None
    return len(after) if before == after else 0


def _before(plan: Mapping[str, Any], client: str, shard: int) -> str | None:
    known = plan["adapters_before"].get(client, [])
    return known[plan["shards"].index(shard)] if shard in plan["shards"] and known else None


def _named(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace(".B", ".lora_B").replace(".A", ".lora_A"): array for name, array in state.items()}


def _taught(state: Mapping[str, Any]) -> bool:
    """Whether any client had a row to teach it; otherwise it is still the initial one, with B zero."""
    return any(array.any() for name, array in state.items() if name.endswith(".B"))
