"""The ledger and the registry of operators against the audit log, which tells of every change of theirs. Pure.

A change's line is on the disk before the change: a crash leaves a line too many, never one too few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from unlearning.audit.canonical import digest
from unlearning.audit.chain import Line
from unlearning.operators.registry import Operator, told
from unlearning.requests.request import Request, Signature
from unlearning.requests.signing import fingerprint
from unlearning.requests.states import TERMINAL, State

_SOON = timedelta(minutes=10)  # between a signature and its line


def by_request(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines that name one request, by its id."""
    found: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if id := line["facts"].get("request"):
            found[id].append(line)
    return found


def ended(lines: Iterable[Line]) -> set[str]:
    """The requests that the log tells have ended."""
    return {id for id, told in by_request(lines).items() if _states(told)[-1] in TERMINAL}


def of_requests(
    requests: Sequence[Request], lines: Sequence[Line], under_way: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """What the ledger and the log say otherwise of each other: the request, and why.

    Args:
        under_way: requests whose certificate is being issued, so that the log may not tell of it yet.
    """
    of_each = by_request(lines)
    for request in requests:
        for why in _faults(request, of_each.get(request.id, []), request.id in under_way):
            yield request.id, why
    submitted = {line["facts"]["request"] for line in lines if line["event"] == "submitted"}
    for id in sorted(submitted - {request.id for request in requests}):
        yield id, "the log tells of it, and it is not in the ledger"


def of_operators(operators: Sequence[Operator], lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """What the registry and the log say otherwise of each other: the operator, and why."""
    known = told(lines)
    for operator in operators:
        if why := _operator_fault(operator, known.get(operator.name)):
            yield operator.name, why
    for name in sorted(known.keys() - {operator.name for operator in operators}):
        yield name, "the log tells of this operator, and the registry does not know them"


def _faults(request: Request, lines: Sequence[Line], under_way: bool) -> Iterator[str]:
    if not any(line["event"] == "submitted" for line in lines):
        yield "it is in the ledger, and the log does not tell that it was submitted"
        return
    if not _is_there(request.state, lines):
        yield f"the ledger says {request.state}, the log {_states(lines)[-1]}"
    if request.extended != any(line["event"] == "extended" for line in lines):
        yield "its longer time is not the one that the log tells of"
    if [line["facts"]["due"] for line in lines if "due" in line["facts"]][-1:] != [request.due_at.isoformat()]:
        yield "its last day to answer is not the one that the log tells of"
    for word in request.reasons.keys() - _reasons_told(lines):
        yield f"it has a reason for {word!r}, which the log does not tell of"
    if request.decision == "approved" and not _approval_told(request.signatures.get("approved"), lines):
        yield "the log does not tell of this approval"
    if request.plan is not None and digest(request.plan) not in [line["facts"].get("plan") for line in lines]:
        yield "the log does not tell of this plan"
    certified = [line["facts"].get("certificate") for line in lines if line["event"] == "certified"]
    if request.state == State.CLOSED and request.certificate not in certified and not (under_way and not certified):
        yield "the log does not tell of this certificate"


def _is_there(state: State, lines: Sequence[Line]) -> bool:
    """Whether the log leaves a request in that state, or one line ahead of it, which a crash explains."""
    states = _states(lines)
    ahead = len(states) > 1 and "state" in lines[-1]["facts"] and states[-2] == state
    return states[-1] == state or ahead


def _states(lines: Sequence[Line]) -> list[str]:
    return [State.RECEIVED.value, *(line["facts"]["state"] for line in lines if "state" in line["facts"])]


def _reasons_told(lines: Sequence[Line]) -> set[str]:
    """The words under which a request may have reasons, by what was decided of it and how it failed."""
    told = {line["event"] for line in lines} & {"extended"}
    told |= {*_states(lines)} & {State.REFUSED, State.CANCELLED, State.HELD, State.FAILED}
    return told | {"complaint"} if State.REFUSED in told else told


def _approval_told(approval: Signature | None, lines: Sequence[Line]) -> bool:
    """Whether the log names that signature, as made about when it says."""
    if approval is None:
        return False
    try:
        mark, at = fingerprint(approval), approval.time
    except ValueError:
        return False
    return any(
        line["event"] == "approved" and line["facts"].get("signature") == mark and _at_about(line, at) for line in lines
    )


def _operator_fault(operator: Operator, known: Operator | None) -> str:
    """To the instant: an operator who is dated back by a second counts as a second person."""
    if known is None:
        return "the registry knows this operator, and the log does not tell of them"
    if (known.key_id, known.roles) != (operator.key_id, operator.roles):
        return "the key or the roles are not those that the log tells of"
    if known.created != operator.created:
        return "became an operator at another time than the log tells"
    if known.revoked_at == operator.revoked_at:
        return ""
    if known.revoked_at is None:
        return "is revoked, and the log does not tell of it"
    if operator.revoked_at is None:
        return "was revoked, as the log tells, and is in force in the registry"
    return "was revoked at another time than the log tells"


def _at_about(line: Line, at: datetime) -> bool:
    return abs(datetime.fromisoformat(line["at"]) - at) <= _SOON
