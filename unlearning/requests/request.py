"""One request, as the ledger keeps it (erasure reference, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator

from unlearning.audit.canonical import canonical
from unlearning.audit.fields import Condition, RequestId
from unlearning.requests.scope import Kind, Scope
from unlearning.requests.states import STOPPED, State


@dataclass(frozen=True, slots=True)
class Identity:
    """Whether the person is who they say, and how that was found out."""

    result: str
    method: str


@dataclass(frozen=True, slots=True)
class Signature:
    """That an operator signed what the request says of it (`signing.content`).

    Attributes:
        at: when, ISO 8601, UTC; it is in what was signed.
        value: the 64 bytes, hexadecimal.
    """

    operator: str
    at: str
    value: str

    @property
    def time(self) -> datetime:
        """
        Raises:
            ValueError: it cannot be read as a moment.
        """
        if (at := datetime.fromisoformat(self.at)).tzinfo is None:
            raise ValueError("a time without its zone")
        return at


def _plan(content: dict[str, Any]) -> dict[str, Any]:
    """As far as it is used before anybody looks who signed it."""
    try:
        canonical(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    shards = content.get("shards")
    if not (isinstance(shards, list) and all(type(shard) is int for shard in shards)):
        raise ValueError("without its shards")
    return content


class Brief(NamedTuple):
    """What a list of many requests shows of each; the fields are `Request`'s, kind and conditions its scope's."""

    id: str
    state: State
    came_from: State | None
    due_at: date
    extended: bool
    received_at: datetime
    requester: str
    approver: str | None
    reasons: Mapping[str, str]
    kind: Kind
    conditions: tuple[Condition, ...]

    @property
    def why(self) -> str:
        """Why it is held, or failed."""
        return self.reasons.get(self.state.value, "") if self.state in STOPPED else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    Attributes:
        id: a random UUID.
        received_at: UTC, when it reached the holder, from which the time to answer runs.
        recorded_at: UTC, when it came into the ledger.
        pseudonym: keyed hash of the subject, hexadecimal; the key goes with the request's.
        sealed: the `Selection`, which only the holder of the subject's key can open.
        ground: the legal ground, for example "17(1)(b)".
        due_at: the last day to answer, UTC.
        decision: "approved", "refused", "cancelled", or None as long as it is open.
        reasons: why it was refused, cancelled, held, failed or extended, by that word; with "complaint", the route.
        requester, approver: operators.
        signatures: by what they say: who asked, who approved, who made the plan; over no person's id.
        came_from: the state in which it was held or failed.
        certificate: its path or hash.
    """

    id: RequestId
    received_at: datetime
    recorded_at: datetime
    channel: str
    pseudonym: str
    scope: Scope
    sealed: bytes
    ground: str
    requester: str
    due_at: date
    state: State = State.RECEIVED
    came_from: State | None = None
    identity: Identity | None = None
    extended: bool = False
    decision: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    approver: str | None = None
    signatures: dict[str, Signature] = field(default_factory=dict)
    plan: Annotated[dict[str, Any], AfterValidator(_plan)] | None = None
    certificate: str | None = None

    @property
    def reached(self) -> State:
        """How far it is, also while it is held or failed."""
        return self.came_from if self.state in STOPPED and self.came_from else self.state

    @property
    def shards(self) -> tuple[int, ...] | None:
        """The shards to train again; None until planned."""
        return None if self.plan is None else tuple(sorted(set(self.plan["shards"])))

    @property
    def four_eyes(self) -> bool:
        """Whether another than the requester approved it."""
        return self.approver is not None and self.approver != self.requester

    def public(self) -> dict[str, Any]:
        """Everything but what is sealed, as JSON takes it."""
        fields = asdict(self)
        del fields["sealed"]
        return {
            **fields,
            "received_at": self.received_at.isoformat(),
            "recorded_at": self.recorded_at.isoformat(),
            "due_at": self.due_at.isoformat(),
            "shards": self.shards,
            "four_eyes": self.four_eyes,
        }
