"""Whether operators vouch for what the ledger says of a request, before anything is done to it.

A ledger is a database that somebody may edit. What counts is signed: that it was asked, approved and planned, each by
an operator who was in force with that role then, over the request as it is now.
"""

from __future__ import annotations

from unlearning.audit.canonical import canonical
from unlearning.certificates.signatures import ROLE_OF, Says
from unlearning.requests.admission import Rejected, check_four_eyes
from unlearning.requests.policy import Policy
from unlearning.requests.request import Request, Signature
from unlearning.requests.signing import Authority, content
from unlearning.requests.states import PATH, State


def unvouched(request: Request, policy: Policy, authority: Authority) -> str | None:
    """Why a request that the ledger calls approved must not be carried out; None where all is signed.

    Raises:
        FedrecError: an operator's public key cannot be read.
    """
    needed: list[Says] = ["asked", "approved"]
    if request.plan is not None:
        needed.append("planned")
    elif PATH.index(request.reached) > PATH.index(State.IDENTIFIED):
        return f"it is said to be {request.reached}, and nobody has planned it: the ledger was altered"
    for says in needed:
        if why := _unsigned(request, says, request.signatures.get(says), authority):
            return why
    if request.decision != "approved" or request.signatures["approved"].operator != request.approver:
        return "its approver is not who signed its approval: the ledger was altered"
    if request.signatures["asked"].operator != request.requester:
        return "its requester is not who signed it: the ledger was altered"
    try:
        check_four_eyes(policy, authority, request, request.signatures["approved"].operator)
    except Rejected as rejected:
        return str(rejected).partition(": ")[2]
    return None


def _unsigned(request: Request, says: Says, signature: Signature | None, authority: Authority) -> str | None:
    if signature is None:
        return f"nobody signed that it was {says}: the ledger was altered, or an older fedrec wrote it"
    try:
        at, value = signature.time, bytes.fromhex(signature.value)
        signed = canonical(content(request, says, signature.operator, signature.at))
    except ValueError:
        return f"the signature that it was {says} cannot be read: the ledger was altered"
    if not authority.check(signature.operator, signed, value, at=at):
        return f"{signature.operator!r} did not sign that it was {says} as it stands there: the ledger was altered"
    if signature.operator not in authority.names(ROLE_OF[says], at=at):
        return f"{signature.operator!r}, who signed that it was {says}, was no {ROLE_OF[says]} then"
    return None
