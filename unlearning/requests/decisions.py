"""What may be decided of a request besides approving it: refuse, hold or cancel it, let it go on, take more time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unlearning.requests import moves
from unlearning.requests.policy import Policy
from unlearning.requests.request import Request
from unlearning.requests.states import State


@dataclass(frozen=True, slots=True)
class Decision:
    """
    Attributes:
        says: what the request is after it.
        reason: why; a release needs none.
        complaint: of a refusal, the route for one.
    """

    says: Literal["refused", "held", "released", "extended", "cancelled"]
    reason: str = ""
    complaint: str = ""


def decided(request: Request, decision: Decision, policy: Policy, now: datetime) -> Request:
    """The request after it.

    Raises:
        FedrecError: it is not possible where the request is, or lacks a reason.
    """
    match decision.says:
        case "refused":
            return moves.refused(request, decision.reason, decision.complaint, now)
        case "held":
            return moves.advanced(request, State.HELD, {"reason": decision.reason}, now)
        case "released":
            return moves.resumed(request, now)
        case "extended":
            return moves.extended(request, decision.reason, policy, now)
        case "cancelled":
            return moves.cancelled(request, decision.reason, now)
