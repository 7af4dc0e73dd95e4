"""What people read of an erasure: the certificate as a page, the reply to the person, and the letter after a decision.

None says "forgotten" unqualified or needs knowledge of the model, and no letter names a person. Each letter says who
sends it and when the request was received (GDPR Art. 12(3) and (4)). The words are those of the folder `templates`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from fedrec.reporting import templating
from unlearning.certificates.certificate import APPROVALS, SignedCertificate, why_not_measured
from unlearning.certificates.claims import NEVER_LEARNED, NOTHING_FOUND, RETRAINED, claimed_threshold
from unlearning.verification import MEMBERSHIP, Report, told

_TERMS = {
    "APPROVALS": APPROVALS,
    "at": lambda moment: moment.strftime("%Y-%m-%d %H:%M %Z"),
    "before_after": told,
    "MEMBERSHIP": MEMBERSHIP,
    "NEVER_LEARNED": NEVER_LEARNED,
    "NOTHING_FOUND": NOTHING_FOUND,
    "why_not_measured": why_not_measured,
    "RETRAINED": RETRAINED,
}


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a letter.

    Attributes:
        sender: who is responsible for the data and where they are reached, in one line.
        received: the day on which the request reached them.
    """

    request: str
    sender: str
    received: date
    written: date


@dataclass(frozen=True)
class Beside:
    """What the page says besides what is certified.

    Attributes:
        report: what was examined, as the evidence has it.
        operators: their names by key id.
        shards: how many the run has.
    """

    report: Report
    operators: Mapping[str, str]
    shards: int


def page(signed: SignedCertificate, beside: Beside) -> str:
    """The certificate as one self-contained HTML page; a picture of it, while the proof is the signed file."""
    changed = sum(adapter.before != adapter.after for adapter in signed.certificate.adapters)
    return _written("certificate.html.j2", {**_certified(signed), "beside": beside, "changed": changed})


def reply(signed: SignedCertificate, head: Head) -> str:
    """The answer to the data subject, as a letter."""
    days = Counter(entry.notified for entry in signed.certificate.recipients)
    told = sorted(days.items(), key=str)  # what they are called means nothing to the person
    return _written("reply.txt.j2", {**_certified(signed), "head": head, "told": told, "complaint": ""})


def letter(
    decided: str,
    head: Head,
    reason: str,
    due: date | None = None,
    complaint: str = "",
) -> str:
    """What was decided on a request instead of an erasure, as a letter.

    Args:
        decided: "refused", "extended", "held" or "cancelled".
        due: the last day to answer, of an extension and where the request rests.
        complaint: where to complain of a refusal (Art. 12(4)).
    """
    content = {"decided": decided, "head": head, "reason": reason, "due": due, "complaint": complaint}
    return _written("decision.txt.j2", content)


def _certified(signed: SignedCertificate) -> dict[str, Any]:
    certificate = signed.certificate
    bridged = claimed_threshold(certificate.bridge.claim) if certificate.bridge else None
    limits = {"limit": claimed_threshold(certificate.claim), "bridged": bridged}
    return {**_TERMS, "signed": signed, "certificate": certificate, **limits}


def _written(template: str, content: dict[str, Any]) -> str:
    return templating.render(template, content, package=__package__)
