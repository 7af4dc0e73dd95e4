"""That an approximate certificate is one all through, and an exact one too: claim, method, plan, log and evidence.

A plan says what is claimed exactly, and of a way that begins approximately, in `approximate`, what is claimed of that
answer and by which thresholds. Which of the two came about is the certificate's claim; the audit log tells it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from unlearning.audit.canonical import digest
from unlearning.certificates.bundle import BRIDGE
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.claims import claimed_threshold
from unlearning.certificates.faults import Fault, Parts, require
from unlearning.certificates.times import bridged, served_by
from unlearning.verification import Report, disagreement, verdict
from unlearning.way import Way


def answer_of(certificate: Certificate, plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the plan says of the answer that is certified: its claim, rounds, clients that take part, and thresholds.

    Raises:
        Fault: the plan has no approximate answer.
    """
    if claimed_threshold(certificate.claim) is None:
        return plan
    return _approximate(plan)


def thresholds_of(certificate: Certificate, plan: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer_of(certificate, plan)["thresholds"]
    return found


def check_way(certificate: Certificate, parts: Parts) -> str:
    """What the log tells to have been served, the plan's way and the evidence are those of the claim."""
    plan, lines, id = parts["plan.json"], parts["audit.jsonl"], certificate.request
    approximate = claimed_threshold(certificate.claim) is not None
    way = plan.get("path", Way.EXACT)
    require(not approximate or way == Way.APPROXIMATE, f"the claim is approximate, and the plan's way is {way}")
    figures = parts["verification.json"]["measures"].get("approximate")
    require((figures is not None) == approximate, "the figures are those of another way than the claim's")
    if certificate.restored_seconds is not None:
        logged = served_by(lines, id) == Way.APPROXIMATE
        require(logged == approximate, "the audit log tells of another answer than the one claimed")
    began, _ = bridged(lines, id)
    require(
        approximate or (began is None) == (certificate.bridge is None), "what answered before is not told as it was"
    )
    return "approximate" if approximate else "exact"


def check_bridge(certificate: Certificate, parts: Parts) -> str | None:
    """The dates are those of the log, the claim that of the plan, and what it was verified by carries it."""
    bridge = certificate.bridge
    require((BRIDGE in parts) == (bridge is not None), f"{BRIDGE} and the certificate are not both of a bridge")
    if bridge is None:
        return None
    dates = bridged(parts["audit.jsonl"], certificate.request)
    require(dates == (bridge.served_at, bridge.replaced_at), "the dates are not those that the audit log tells")
    planned, content = _approximate(parts["plan.json"]), parts[BRIDGE]
    require(bridge.claim == planned["claim"], "the claim of what answered before is not the planned one")
    require(digest(content) == bridge.verification_report, f"{BRIDGE} is not the one certified")
    try:
        report = Report.model_validate(content)
    except ValidationError:
        raise Fault(f"{BRIDGE} is not a report") from None
    require(report.thresholds.model_dump(mode="json") == planned["thresholds"], "other thresholds than the plan's")
    follows = verdict(report.measures, report.thresholds) == report and report.verdict == "PASS"
    require(follows, "what answered before was not verified")
    require(not (why := disagreement(report.measures)), why)
    return f"{bridge.claim}: from {bridge.served_at} to {bridge.replaced_at or 'now'}"


def _approximate(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = plan.get("approximate")
    if found is None:
        raise Fault("the plan has no approximate answer")
    return found
