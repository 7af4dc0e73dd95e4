"""What may be decided of a request besides approving it: refuse, hold or cancel it, let it go on, take more time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from unlearning.requests import transitions
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
            return transitions.refused(request, decision.reason, decision.complaint)
        case "held":
            return transitions.advanced(request, State.HELD, {"reason": decision.reason})
        case "released":
            return transitions.resumed(request)
        case "extended":
            return transitions.extended(request, decision.reason, policy, now)
        case "cancelled":
            return transitions.cancelled(request, decision.reason)
