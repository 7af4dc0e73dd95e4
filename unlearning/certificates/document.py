"""A certificate for people: one page to read or print, and the reply to the person whose data it was.

Neither says "forgotten" unqualified. The words of the claim are those of the certificate.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fedrec.reporting import templating
from fedrec.reporting.formatting import clean, count, duration
from unlearning.certificates.certificate import (
    APPROVALS,
    NEVER_LEARNED,
    NOTHING_FOUND,
    RETRAINED,
    Certificate,
    Operators,
    Recipient,
    Remainder,
    SignedCertificate,
)
from unlearning.certificates.letters import RIGHTS, Head, letter
from unlearning.verification import Report

_CONDITIONS = {
    "person": "about {whom}",
    "items": "on the titles that the request names",
    "rows": "that the request names one by one",
    "dates": "within the dates that the request names",
    "client": "held by the client {client} of the federation",
}
_TOMBSTONE = (
    "A mark made from the identifier with a secret key, from which nobody without the key can tell who is meant. It is kept so "
    "that a restored copy of the data is refused."
)


_EXAMINED = {
    "traces found": "Traces of the records in every client's rows, scores and rows that judge the model",
    "membership inference": "Whether the model tells the erased records from records it never saw",
    "utility lost": "What the model lost on the records that remain",
    "adapters not finite": "Adapters with a value that is no number",
    "adapters untrained": "Adapters that were not trained",
    "adapters unlike the re-derived": "Adapters that a second training from the start did not give again",
    "scores to the reference's": "Distance of the scores to those of a model that never had the records",
}


@dataclass(frozen=True)
class Beside:
    """What page and reply say besides what is certified.

    Attributes:
        head: of the reply.
        report: what was examined, as the evidence has it.
        operators: their names by key id.
        shards: how many the run has.
    """

    head: Head
    report: Report
    operators: Mapping[str, str]
    shards: int


def page(signed: SignedCertificate, beside: Beside) -> str:
    """The certificate as one self-contained HTML page; a picture of it, while the proof is the signed file."""
    certificate = signed.certificate
    content = {
        "kind": "erasure",
        "title": "Certificate of erasure",
        "headline": f"{_erased(certificate, 'this person')} {_outcome(certificate)}",
        "notes": [
            f"Code {certificate.code_version}, configuration {certificate.config}.",
            "This page is for reading; the proof is the signed file, which fedrec forget verify CERTIFICATE --bundle FOLDER --key OPERATORS.pem checks, offline.",
        ],
        "config": {},
        "command": "",
        "certificate": certificate,
        "sha256": signed.digest,
        "stats": _stats(certificate),
        "rows": _rows(certificate, beside),
        "examined": [(_EXAMINED.get(each.name, each.name), each.why, each.ok) for each in beside.report.distances],
        "remains": [_remainder(entry) for entry in _remains(certificate)],
        "told": [_told(entry) for entry in certificate.recipients],
    }
    return templating.render("certificate.html.j2", content, {}, __package__)


def reply(signed: SignedCertificate, head: Head) -> str:
    """The answer to the data subject, as a letter."""
    certificate = signed.certificate
    remains = [_TOMBSTONE] * (certificate.tombstone is not None) + [_remainder(e) for e in _remains(certificate)]
    parts = {
        "What was erased": [_erased(certificate, "you")],
        "What became of the model": [_outcome(certificate), *_withdrawn(certificate)],
        "What remains, and until when": remains or ["Nothing that we know of."],
        "Who else was told": [_told(entry) for entry in certificate.recipients]
        or ["Nobody else had received the data."],
        "How to check this": [
            f"A signed certificate records it: SHA-256 {signed.digest}, key {signed.key_id}. Ask us for a copy."
        ],
        "How to complain": [RIGHTS],
    }
    return letter(head, parts)


def _erased(certificate: Certificate, whom: str) -> str:
    """What the request covered, no more and no less: `scope` and `client` of the certificate in words."""
    named = {"whom": whom, "client": certificate.client and clean(certificate.client, 200)}
    conditions = " ".join(_CONDITIONS[condition].format(**named) for condition in certificate.scope)
    found = certificate.claim != NOTHING_FOUND
    done = (
        f"Every record {conditions} was erased." if found else f"No record {conditions} was found, so none was erased."
    )
    if "person" in certificate.scope and len(certificate.scope) > 1:
        done += f" Whatever else there is about {whom} was no part of the request and is as it was."
    return done


def _outcome(certificate: Certificate) -> str:
    if certificate.verdict == "FAIL":
        return "The check of the model afterwards did not pass, so nothing is claimed of the model, and the request stays open."
    if certificate.claim == NOTHING_FOUND:
        return f"As there was {certificate.claim}, nothing of the model was trained again."
    if certificate.claim == NEVER_LEARNED:
        return f"These records were {certificate.claim}, so nothing of the model had to be trained again. What was measured on them was measured again without them."
    if certificate.claim == RETRAINED:
        return f"The parts of the model that had learned from these records were {certificate.claim} them."
    return f"What the model had learned from these records was {certificate.claim}, which is a measured limit and not proof of absence."


def _withdrawn(certificate: Certificate) -> list[str]:
    """When what had learned from the records was out of use, and back in it; nothing where nothing had."""
    if not certificate.shards:
        return []
    out = f"The parts that had learned from them were out of use {duration(certificate.withdrawn_seconds)} after the work began"
    if certificate.restored_seconds is None:
        return [f"{out}, and another request still keeps them out of use."]
    return [f"{out}, and back in use, trained again without them, after {duration(certificate.restored_seconds)}."]


def _people(operators: Operators) -> list[tuple[str, str]]:
    return [("Asked by", operators.requester), ("Approved by", operators.approver), ("Signed by", operators.signer)]


def _remains(certificate: Certificate) -> tuple[Remainder, ...]:
    return certificate.exceptions + certificate.elsewhere


def _remainder(entry: Remainder) -> str:
    return f"{clean(entry.what, 200)}, " + (f"until {entry.until}" if entry.until else "with no date set")


def _told(entry: Recipient) -> str:
    return f"{clean(entry.name, 200)}, " + (f"told on {entry.notified}" if entry.notified else "not told yet")


def _stats(certificate: Certificate) -> list[tuple[str, str, str]]:
    verification = ("Verification", certificate.verdict, "against limits fixed before the run")
    if not certificate.shards:
        return [verification, ("Trained again", "nothing", certificate.claim)]
    return [
        verification,
        ("Out of use after", duration(certificate.withdrawn_seconds), "from the start of the work"),
        ("Back in use after", duration(certificate.restored_seconds), f"by {certificate.method}"),
    ]


def _rows(certificate: Certificate, beside: Beside) -> list[tuple[str, str]]:
    changed = sum(adapter.before != adapter.after for adapter in certificate.adapters)
    rows = [
        ("Request", certificate.request),
        ("Person, as a pseudonym", certificate.pseudonym),
        ("Claim", certificate.claim),
        ("Shards trained again", f"{count(len(certificate.shards))} of {count(beside.shards)}"),
        ("Rounds run again in each", count(certificate.rounds)),
        ("Clients that took part", count(len(certificate.clients))),
        ("Adapters changed", f"{count(changed)} of {count(len(certificate.adapters))}"),
        ("Data before", certificate.dataset_before),
        ("Data after", certificate.dataset_after),
        ("Verification report", certificate.verification_report),
        ("Evidence", certificate.evidence),
        *(
            (title, f"{beside.operators.get(key, 'somebody this run does not know')}, key {key}")
            for title, key in _people(certificate.operators)
        ),
        ("Approval", APPROVALS[certificate.approval]),
        ("Certificate before", certificate.previous or "none, this is the first"),
    ]
    if certificate.unequal_adapters is not None:
        rows.append(("Adapters that a second training did not give again", count(certificate.unequal_adapters)))
    if certificate.dp is not None:
        rows.append(("Privacy budget spent", f"ε {certificate.dp.epsilon:g}, δ {certificate.dp.delta:g}"))
    return rows
