"""How long an erasure took, by the lines of the audit log that tell of it, whose last hash its certificate signs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from unlearning.certificates.certificate import Certificate
from unlearning.certificates.faults import Parts, require

SERVED = "served-again"
"""Of an approximate answer with `method` approximate."""
BRIDGED = "served-approximately"
"""The approximate answer is served, until the exact one is."""
UNBRIDGED = "withdrawn-again"
"""It is served no more, and the exact one is not yet."""
_WORK = ("quarantined", "erasing", "verifying", "published", SERVED)


ANSWERED = "answered"
"""A client has answered that it erased what was asked for; of one on a machine of its own."""


class Times(NamedTuple):
    """Seconds from the start of the work until nothing was served that had learned from the records, and until all of
    it was served again, trained without them. None: it did not come to that."""

    withdrawn_seconds: float | None
    restored_seconds: float | None


def times(lines: Iterable[Mapping[str, Any]], request: str) -> Times:
    """
    Args:
        lines: of the log; what they seal is passed over.
    """
    told = worked(lines, request)
    first, last = _first(told), {what: at for at, what in told}  # the last, where it was done again
    began = first.get("quarantined")
    return Times(_seconds(began, first.get("erasing")), _seconds(began, last.get(SERVED)))


def worked(lines: Iterable[Mapping[str, Any]], request: str) -> list[tuple[datetime, str]]:
    """When it came to each state since it was identified last, before which nothing is begun, whatever is told."""
    told = list(_told(lines, request))
    starts = [place for place, (_, what) in enumerate(told) if what == "identified"]
    return told[starts[-1] if starts else 0 :]


def reached(lines: Iterable[Mapping[str, Any]], request: str) -> dict[str, datetime]:
    """When a request first came to each of its states, by state, in this order."""
    return _first((at, what) for at, what in _told(lines, request) if what != SERVED)


def bridged(lines: Iterable[Mapping[str, Any]], request: str) -> tuple[datetime | None, datetime | None]:
    """When an approximate answer began to bridge, and when the exact one took its place, since the request was
    identified last; None of one that was withdrawn again before that."""
    began: datetime | None = None
    ended: datetime | None = None
    for line in _since_identified(lines, request):
        event = line.get("event")
        if event in (BRIDGED, UNBRIDGED):
            began, ended = _at(line) if event == BRIDGED else None, None
        elif event == SERVED:
            ended = _at(line)
    return (began, ended) if began else (None, None)


def served_by(lines: Iterable[Mapping[str, Any]], request: str) -> str | None:
    """By what method its shards were served again last; None where that is the exact one, or they were not."""
    last = [line for line in _since_identified(lines, request) if line.get("event") == SERVED][-1:]
    return last[0]["facts"].get("method") if last else None


def answered(lines: Iterable[Mapping[str, Any]], request: str) -> dict[str, datetime]:
    """By client, sorted, when it answered last that it had erased, since the request was identified last."""
    told = [line for line in _since_identified(lines, request) if line.get("event") == ANSWERED]
    return dict(sorted((line["facts"]["client"], _at(line)) for line in told))


def check_answers(certificate: Certificate, parts: Parts) -> None:
    """Who answered when, as the audit log tells it."""
    stated = {each.client: each.at for each in certificate.answered}
    require(
        stated == answered(parts["audit.jsonl"], certificate.request),
        "who answered when is not what the audit log tells",
    )


def check_times(certificate: Certificate, parts: Parts) -> None:
    """The certificate's times are those of the audit log."""
    stated = (certificate.withdrawn_seconds, certificate.restored_seconds)
    require(
        times(parts["audit.jsonl"], certificate.request) == stated, "the times are not those that the audit log tells"
    )


def check_order(certificate: Certificate, parts: Parts) -> None:
    """Received, recorded, approved, planned, carried out, certified: each not before the last."""
    asked, approved, planned = (parts["signatures.json"][says]["content"] for says in ("asked", "approved", "planned"))
    stated = {
        "received": asked["received_at"],
        "recorded": asked["recorded_at"],
        "approved": approved["at"],
        "planned": planned["at"],
    }
    course = [
        *((name, datetime.fromisoformat(at)) for name, at in stated.items()),
        *(("carried out", at) for at, what in worked(parts["audit.jsonl"], certificate.request) if what in _WORK),
        ("certified", certificate.issued_at),
    ]
    for (name, at), (after, later) in pairwise(course):
        require(at <= later, f"{after} before it was {name}")


def _since_identified(lines: Iterable[Mapping[str, Any]], request: str) -> list[Mapping[str, Any]]:
    mine = [line for line in lines if line.get("facts", {}).get("request") == request]
    starts = [place for place, line in enumerate(mine) if line["facts"].get("state") == "identified"]
    return mine[starts[-1] if starts else 0 :]


def _at(line: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(line["at"])


def _told(lines: Iterable[Mapping[str, Any]], request: str) -> Iterator[tuple[datetime, str]]:
    """When it came to each of its states, and was served again."""
    for line in lines:
        facts = line.get("facts", {})
        what = SERVED if line.get("event") == SERVED else facts.get("state")
        if facts.get("request") == request and what:
            yield datetime.fromisoformat(line["at"]), what


def _first(told: Iterable[tuple[datetime, str]]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for at, what in told:
        found.setdefault(what, at)
    return found


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else round(max(0.0, (ended - began).total_seconds()), 3)
