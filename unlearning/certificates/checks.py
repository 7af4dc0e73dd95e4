"""Check an evidence bundle: every file by its hash, and that the files say what the certificate says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unlearning.audit.canonical import digest
from unlearning.audit.log import check_excerpt
from unlearning.certificates.bundle import BRIDGE, MANIFEST, PARTS, decoded, read_manifest
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.claims import NOTHING_FOUND, claimed_threshold
from unlearning.certificates.consistency import (
    check_adapters,
    check_configuration,
    check_data,
    check_participation,
    check_plan,
    check_recipients,
)
from unlearning.certificates.faults import Check, Fault, Parts, checked, require
from unlearning.certificates.signatures import check_approved, check_asked, check_planned, check_signer
from unlearning.certificates.times import check_answers, check_order, check_times
from unlearning.certificates.ways import check_bridge, check_way, thresholds_of
from unlearning.verification import MEMBERSHIP, UTILITY, Report, disagreement, told, unmeasured, verdict


def check_bundle(certificate: Certificate, folder: Path) -> list[Check]:
    """The checks of a bundle; what the files say is only judged once all are the ones that were certified."""
    faults = list(_file_faults(certificate, folder))
    if faults:
        return [Check("evidence files", False, fault) for fault in faults]
    checks = [Check("evidence files", True, "all as certified")]
    try:
        parts = read_parts(folder)
    except ValueError as error:
        return [*checks, Check("evidence form", False, str(error))]
    return checks + check_parts(certificate, parts)


def check_parts(certificate: Certificate, parts: Parts) -> list[Check]:
    """That the files say what the certificate says, signed or not yet.

    Args:
        parts: as `read_parts` gives them.
    """
    return [checked(name, check, certificate, parts) for name, check in _CHECKS.items()]


def read_parts(folder: Path) -> dict[str, Any]:
    """What the files of a bundle say, by name.

    Raises:
        ValueError: one is not of its form.
        Fault: one cannot be read.
    """
    names = (*PARTS, BRIDGE) if (folder / BRIDGE).exists() else PARTS
    return {name: decoded(name, _read(folder, name)) for name in names}


def _read(folder: Path, name: str) -> bytes:
    """
    Raises:
        Fault: it cannot be read: missing, no plain file, not permitted, or the disk fails.
    """
    try:
        require((folder / name).is_file(), f"{name} is missing")
        return (folder / name).read_bytes()
    except OSError as error:
        raise Fault(f"{name} cannot be read ({error.strerror})") from None


def _file_faults(certificate: Certificate, folder: Path) -> Iterator[str]:
    """The manifest against the certificate, and each file against the manifest."""
    try:
        raw = _read(folder, MANIFEST)
        there = {path.name for path in folder.iterdir()}
    except (Fault, OSError) as error:
        yield f"{folder}: {error if isinstance(error, Fault) else f'cannot be read ({error.strerror})'}"
        return
    if hashlib.sha256(raw).hexdigest() != certificate.evidence:
        yield f"{MANIFEST} was altered, or is of another certificate"
        return
    try:
        named = read_manifest(raw)
    except ValueError as error:
        yield f"{MANIFEST}: {error}"
        return
    for name in sorted({*PARTS} - {*named}):
        yield f"{name} is not in the manifest"
    for name in sorted(there - {*named, MANIFEST}):
        yield f"{name} does not belong there"
    for name, sha256 in named.items():
        try:
            require(hashlib.sha256(_read(folder, name)).hexdigest() == sha256, f"{name} was altered")
        except Fault as fault:
            yield str(fault)


def _request(certificate: Certificate, parts: Parts) -> None:
    same = parts["request.json"]["id"], parts["request.json"]["pseudonym"]
    require(same == (certificate.request, certificate.pseudonym), "request.json is of another request")


def _scope(certificate: Certificate, parts: Parts) -> None:
    """What was asked is what was covered, and records were found there, or none, as the certificate says."""
    asked, plan = parts["signatures.json"]["asked"]["content"]["scope"], parts["plan.json"]
    same = (tuple(asked["conditions"]), asked["client"]) == (certificate.scope, certificate.client)
    require(same, "another scope was asked for than the one certified")
    alone = certificate.client is None or {*plan["clients"]} <= {certificate.client}
    require(alone, "plan.json has records of other clients than the one certified")
    found = bool(plan["clients"] or plan["changed"])
    require(found == (certificate.claim != NOTHING_FOUND), "plan.json found other records than claimed")


def _verification(certificate: Certificate, parts: Parts) -> str:
    """The verdict follows from the measures, by the thresholds that the plan fixed, and carries the claim.

    Returns:
        how sure the measures are that are not simply counted.
    """
    content, plan = parts["verification.json"], parts["plan.json"]
    require(digest(content) == certificate.verification_report, "verification.json is not the one certified")
    try:
        report = Report.model_validate(content)
    except ValidationError:
        raise Fault("verification.json is not a report") from None
    measures, thresholds = report.measures, report.thresholds
    fixed = thresholds_of(certificate, plan)
    require(thresholds.model_dump(mode="json") == fixed, "the thresholds are not those of the plan")
    follows = verdict(measures, thresholds) == report and report.verdict == certificate.verdict
    require(follows, "the verdict does not follow from the measures")
    require(not (why := disagreement(measures)), why)
    same = measures.unequal_adapters == certificate.unequal_adapters
    require(same, "the second training is not the one certified")
    lacking = unmeasured(measures) if certificate.shards and plan["clients"] else ()
    same = certificate.not_measured == lacking
    require(same, "the certificate names other things that were not measured than the report")
    failed = [f"{distance.name}: {distance.why}" for distance in report.distances if not distance.ok]
    require(report.verdict == "PASS", "; ".join(failed))
    threshold = claimed_threshold(certificate.claim)
    shown = (thresholds.membership, thresholds.membership_end) == (threshold, "far")
    require(threshold is None or shown, "the claim is stronger than what was verified")
    unsure = [f"{each.name}: {each.why}" for each in report.distances if each.name in (MEMBERSHIP, UTILITY)]
    figures = [] if measures.approximate is None else [told(measures.approximate)]
    return "; ".join(["as certified", *unsure, *figures])


def _audit(certificate: Certificate, parts: Parts) -> None:
    for problem in check_excerpt(parts["audit.jsonl"], certificate.request, certificate.audit_head):
        raise Fault(f"audit.jsonl, line {problem.line}: {problem.why}")


def _plan(_: Certificate, parts: Parts) -> None:
    """The audit log names the plan's hash before erasing begins, so no threshold was chosen after the fact."""
    named, begun = digest(parts["plan.json"]), False
    for line in parts["audit.jsonl"]:
        facts = line.get("facts", {})
        if facts.get("plan") == named and not begun:
            return
        if state := facts.get("state"):
            begun = state != "identified" and (begun or state == "erasing")  # who is identified, of them nothing is
    raise Fault("the audit log does not name this plan before the erasing began")


_CHECKS: dict[str, Callable[[Certificate, Parts], str | None]] = {
    "request": _request,
    "scope": _scope,
    "asked": check_asked,
    "approved": check_approved,
    "planned": check_planned,
    "agreement": check_plan,
    "way": check_way,
    "bridge": check_bridge,
    "configuration": check_configuration,
    "data": check_data,
    "adapters": check_adapters,
    "participation": check_participation,
    "verification": _verification,
    "audit log": _audit,
    "plan": _plan,
    "times": check_times,
    "answers": check_answers,
    "order": check_order,
    "who certifies": check_signer,
    "recipients": check_recipients,
}
