"""A certificate for people: one page to read or print, and the reply to the person whose data it was.

Neither says "forgotten" unqualified. What the claim comes to is said in words that need no knowledge of the model; the
certificate's own words stand on the page.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fedrec.reporting import templating
from fedrec.reporting.formatting import clean, count, duration
from unlearning.certificates.certificate import (
    APPROVALS,
    NEVER_LEARNED,
    NOT_MEASURED,
    NOTHING_FOUND,
    RETRAINED,
    Certificate,
    Operators,
    Recipient,
    Remainder,
    SignedCertificate,
    claimed_threshold,
)
from unlearning.certificates.letters import RIGHTS, Head, letter
from unlearning.verification import MEMBERSHIP, Report

_CONDITIONS = {
    "person": "about {whom}",
    "items": "on the titles that the request names",
    "rows": "that the request names one by one",
    "dates": "within the dates that the request names",
    "client": "held at the one place that the request names",
}
_TOMBSTONE = (
    "A mark made with a secret key from what your request names; nobody without the key can tell who is meant. It is kept so "
    "that these records are refused should an old copy be put back."
)


_EXAMINED = {
    "traces found": "Traces of the records in every client's rows, scores and rows that judge the model",
    "membership inference": "Whether the model tells the erased records from records it never saw",
    "utility lost": "What the model lost on the records that remain",
    "adapters not finite": "Adapters with a value that is no number",
    "adapters untrained": "Adapters that were not trained",
    "adapters unlike the re-derived": "Adapters that a second training from the start did not give again",
    "adapters as they were": "Adapters that are as they were although they had learned from the records",
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
        "headline": f"{_erased(certificate, 'this person')} {_outcome(certificate, 'this person')}",
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
        "examined": [
            *(
                (_EXAMINED.get(each.name, each.name), each.why, "yes" if each.ok else "no")
                for each in beside.report.distances
            ),
            *((_EXAMINED.get(name, name), NOT_MEASURED, "not shown") for name in certificate.not_measured),
        ],
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
        "What became of the model": [
            _outcome(certificate, "you"),
            *_withdrawn(certificate),
            *_not_measured(certificate),
        ],
        "What remains, and until when": remains or ["Nothing that we know of."],
        "Who else was told": _all_told(certificate) or ["Nobody else had received the data."],
        "How to check this": [
            f"We have signed a certificate of this (SHA-256 {signed.digest}, key {signed.key_id}). Ask us for a copy."
        ],
        "How to complain": [RIGHTS],
    }
    return letter(head, parts)


def _erased(certificate: Certificate, whom: str) -> str:
    """What the request covered, no more and no less: `scope` of the certificate in words."""
    conditions = " ".join(_CONDITIONS[condition].format(whom=whom) for condition in certificate.scope)
    found = certificate.claim != NOTHING_FOUND
    done = (
        f"Every record {conditions} was erased." if found else f"No record {conditions} was found, so none was erased."
    )
    if "person" in certificate.scope and len(certificate.scope) > 1:
        done += f" Whatever else there is about {whom} was no part of the request and is as it was."
    return done


def _outcome(certificate: Certificate, whom: str) -> str:
    if certificate.verdict == "FAIL":
        return "The check of the model afterwards did not pass, so nothing is claimed of the model, and the request stays open."
    if certificate.claim == NOTHING_FOUND:
        return "As there was no record, nothing of the model was trained again."
    if certificate.claim == NEVER_LEARNED:
        return "No part of the model had learned from these records, so nothing had to be trained again. What had been measured on them was measured again without them."
    if certificate.claim == RETRAINED:
        whole = certificate.scope == ("person",)
        source, without = (whom, whom) if whole else ("these records", "them")
        part, was, its = ("parts", "were", "their") if len(certificate.shards) > 1 else ("part", "was", "its")
        return f"The {part} of the model that had learned from {source} {was} trained again, from {its} start, without {without}."
    limit = claimed_threshold(certificate.claim)
    return f"The model was changed until it told these records from others no better than a limit that was set before ({limit:g}). That is a measurement, and no proof that nothing is left."


def _withdrawn(certificate: Certificate) -> list[str]:
    """When what had learned from the records was out of use, and back in it; nothing where nothing had."""
    if not certificate.shards or certificate.withdrawn_seconds is None:
        return []
    out = f"What had learned from them was out of use {duration(certificate.withdrawn_seconds)} after the work began"
    if certificate.restored_seconds is None:
        return [f"{out}, and another request still keeps it out of use."]
    return [f"{out}, and back in use, as it is now, after {duration(certificate.restored_seconds)}."]


def _not_measured(certificate: Certificate) -> list[str]:
    if MEMBERSHIP not in certificate.not_measured or certificate.verdict == "FAIL":
        return []
    return [
        "There was too little to test whether the model still tells these records from others, so that was not tested. What we say "
        "of the model rests on its training from the start."
    ]


def _people(operators: Operators) -> list[tuple[str, str]]:
    return [("Asked by", operators.requester), ("Approved by", operators.approver), ("Signed by", operators.signer)]


def _remains(certificate: Certificate) -> tuple[Remainder, ...]:
    return certificate.exceptions + certificate.elsewhere


def _remainder(entry: Remainder) -> str:
    return f"{clean(entry.what, 200)}, " + (f"until {entry.until}" if entry.until else "with no date set")


def _told(entry: Recipient) -> str:
    return f"{clean(entry.name, 200)}, " + (f"told on {entry.notified}" if entry.notified else "not told yet")


def _all_told(certificate: Certificate) -> list[str]:
    """How many were told on each day; what they are called means nothing to the person."""
    days = Counter(entry.notified for entry in certificate.recipients)
    kept = "Places that keep such records"
    told = [
        f"{kept} and were told on {day}: {many}." if day else f"{kept} and were not told yet: {many}."
        for day, many in sorted(days.items(), key=str)
    ]
    return [*told, "Ask us if you want to know which they are."] if told else []


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
        *([("Only at the client", certificate.client)] if certificate.client else []),
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
        (
            "A second person",
            f"{'yes' if certificate.approval == 'four-eyes' else 'no'}, {APPROVALS[certificate.approval]}",
        ),
        ("Certificate before", certificate.previous or "none, this is the first"),
    ]
    if certificate.unequal_adapters is not None:
        rows.append(("Adapters that a second training did not give again", count(certificate.unequal_adapters)))
    if certificate.dp is not None:
        rows.append(("Privacy budget spent", f"ε {certificate.dp.epsilon:g}, δ {certificate.dp.delta:g}"))
    return rows
