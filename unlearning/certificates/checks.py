"""Check an evidence bundle: every file by its hash, and that the files say what the certificate says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from unlearning.audit.canonical import digest, parse
from unlearning.audit.log import check_excerpt
from unlearning.certificates.bundle import MANIFEST, PARTS, read_manifest
from unlearning.certificates.certificate import NOTHING_FOUND, Certificate, claimed_threshold
from unlearning.certificates.consistency import (
    adapters_fault,
    configuration_fault,
    data_fault,
    participation_fault,
    plan_fault,
    recipients_fault,
)
from unlearning.certificates.signatures import approval_fault, asking_fault, planning_fault, signer_fault
from unlearning.certificates.times import order_fault, times_fault
from unlearning.verification import MEMBERSHIP, UTILITY, Report, unmeasured, verdict

Parts = Mapping[str, Any]


class Check(NamedTuple):
    name: str
    ok: bool
    why: str


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
    checks = []
    for name, fault_of in _CHECKS.items():
        try:
            fault = fault_of(certificate, parts)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            fault = "not in the form that a bundle has"
        checks.append(Check(name, not fault, fault or _SHOWN.get(name, _as_certified)(parts)))
    return checks


def read_parts(folder: Path) -> dict[str, Any]:
    """What the files of a bundle say, by name.

    Raises:
        ValueError: one is not of its form.
        OSError: one is not there.
    """
    return {name: _content(folder / name) for name in PARTS}


def _file_faults(certificate: Certificate, folder: Path) -> Iterator[str]:
    """The manifest against the certificate, and each file against the manifest."""
    try:
        raw = (folder / MANIFEST).read_bytes()
    except OSError:
        yield f"{folder / MANIFEST} cannot be read"
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
    for name in sorted({path.name for path in folder.iterdir()} - {*named, MANIFEST}):
        yield f"{name} does not belong there"
    for name, sha256 in named.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            yield f"{name} was altered"


def _content(path: Path) -> Any:
    try:
        if path.suffix == ".jsonl":
            return [parse(line) for line in path.read_bytes().split(b"\n")[:-1]]
        return parse(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _request(certificate: Certificate, parts: Parts) -> str:
    same = parts["request.json"]["id"], parts["request.json"]["pseudonym"]
    return "" if same == (certificate.request, certificate.pseudonym) else "request.json is of another request"


def _scope(certificate: Certificate, parts: Parts) -> str:
    """What was asked is what was covered, and records were found there, or none, as the certificate says."""
    asked, plan = parts["signatures.json"]["asked"]["content"]["scope"], parts["plan.json"]
    found = plan["clients"]
    if (tuple(asked["conditions"]), asked["client"]) != (certificate.scope, certificate.client):
        return "another scope was asked for than the one certified"
    if certificate.client is not None and {*found} - {certificate.client}:
        return "plan.json has records of other clients than the one certified"
    learned = bool(found or plan.get("changed"))  # none in plans from before they told what had changed
    return "" if learned == (certificate.claim != NOTHING_FOUND) else "plan.json found other records than claimed"


def _verification(certificate: Certificate, parts: Parts) -> str:
    """The verdict follows from the measures, by the thresholds that the plan fixed, and carries the claim."""
    content, thresholds = parts["verification.json"], parts["plan.json"]["thresholds"]
    if digest(content) != certificate.verification_report:
        return "verification.json is not the one certified"
    try:
        report = Report.model_validate(content)
    except ValidationError:
        return "verification.json is not a report"
    if report.thresholds.model_dump(mode="json") != thresholds:
        return "the thresholds are not those of the plan"
    if verdict(report.measures, report.thresholds) != report or report.verdict != certificate.verdict:
        return "the verdict does not follow from the measures"
    if report.measures.unequal_adapters != certificate.unequal_adapters:
        return "the second training is not the one certified"
    learned = certificate.shards and parts["plan.json"]["clients"]
    if certificate.not_measured != (unmeasured(report.measures) if learned else ()):
        return "the certificate names other things that were not measured than the report"
    if report.verdict == "FAIL":
        return "; ".join(f"{distance.name}: {distance.why}" for distance in report.distances if not distance.ok)
    threshold, end = claimed_threshold(certificate.claim), report.thresholds.membership_end
    if threshold is not None and (threshold, "far") != (report.thresholds.membership, end):
        return "the claim is stronger than what was verified"
    return ""


def _audit(certificate: Certificate, parts: Parts) -> str:
    problems = check_excerpt(parts["audit.jsonl"], certificate.request, certificate.audit_head)
    return f"audit.jsonl, line {problems[0].line}: {problems[0].why}" if problems else ""


def _plan(certificate: Certificate, parts: Parts) -> str:
    """The audit log names the plan's hash before erasing begins, so no threshold was chosen after the fact."""
    named, begun = digest(parts["plan.json"]), False
    for line in parts["audit.jsonl"]:
        facts = line.get("facts", {})
        if facts.get("plan") == named and not begun:
            return ""
        if state := facts.get("state"):
            begun = state != "identified" and (begun or state == "erasing")  # who is identified, of them nothing is
    return "the audit log does not name this plan before the erasing began"


def _as_certified(_: Parts) -> str:
    return "as certified"


def _figures(parts: Parts) -> str:
    """How sure the measures are that are not simply counted."""
    shown = [each for each in parts["verification.json"]["distances"] if each["name"] in (MEMBERSHIP, UTILITY)]
    return "; ".join(["as certified", *(f"{each['name']}: {each['why']}" for each in shown)])


_SHOWN: dict[str, Callable[[Parts], str]] = {"verification": _figures}
"""What is told of a check that passed."""

_CHECKS: dict[str, Callable[[Certificate, Parts], str]] = {
    "request": _request,
    "scope": _scope,
    "asked": asking_fault,
    "approved": approval_fault,
    "planned": planning_fault,
    "agreement": plan_fault,
    "configuration": configuration_fault,
    "data": data_fault,
    "adapters": adapters_fault,
    "participation": participation_fault,
    "verification": _verification,
    "audit log": _audit,
    "plan": _plan,
    "times": times_fault,
    "order": order_fault,
    "who certifies": signer_fault,
    "recipients": recipients_fault,
}
