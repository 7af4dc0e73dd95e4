"""What is written for people: letters after a decision, and of a certificate a page and the reply."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fedrec.files import replacing
from unlearning.certificates.documents import Beside, Head, letter, page, reply

if TYPE_CHECKING:
    from unlearning.certificates.certificate import SignedCertificate
    from unlearning.requests.request import Request
    from unlearning.verification import Report
    from unlearning.workflow.workflow import Workflow

DECISIONS = {"refused": "refusal", "extended": "extension", "held": "holding", "cancelled": "cancellation"}
"""What a letter is called, by what was decided; there is none of a release, which is the way things go anyway."""


def head_of(workflow: Workflow, request: Request, written: date | None = None) -> Head:
    """What stands above a letter about a request; written today, unless said otherwise."""
    sender = workflow.rules.sender or "the operator of this recommender"
    return Head(request.id, sender, request.received_at.date(), written or datetime.now(UTC).date())


def write_documents(workflow: Workflow, request: Request, signed: SignedCertificate, report: Report) -> None:
    """The page of a certificate and the reply to whoever asked. The same facts give the same bytes."""
    head = head_of(workflow, request, signed.certificate.issued_at.date())
    names = {operator.key_id: operator.name for operator in workflow.operators.operators()}
    beside = Beside(report, names, workflow.model.config.shards)
    texts = {"html": page(signed, beside), "txt": reply(signed, head)}
    for suffix, text in texts.items():
        with replacing(workflow.documents / f"{request.id}.{suffix}", durable=True) as partial:
            partial.write_text(text, "utf-8")


def path_of(workflow: Workflow, id: str, decided: str) -> Path:
    return workflow.documents / f"{id}-{DECISIONS[decided]}.txt"


def write_letter(workflow: Workflow, request: Request, decided: str) -> Path | None:
    """The letter about a decision; written again, it has that day's date. None where none is due."""
    if decided not in DECISIONS:
        return None
    head, reason = head_of(workflow, request), request.reasons[decided]
    complaint = request.reasons["complaint"] if decided == "refused" else ""
    text = letter(decided, head, reason, request.due_at, complaint)
    path = path_of(workflow, request.id, decided)
    with replacing(path, durable=True) as partial:
        partial.write_text(text, "utf-8")
    return path
