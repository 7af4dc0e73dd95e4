"""The types of what may stand in an audit log or a certificate. None of them can hold a person's id as it is.

Free text (`Line`) is for words of the operator and names of federation members, never for what a person is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


def _matching(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern}$")


Digest = Annotated[str, _matching("[0-9a-f]{64}")]  # SHA-256
Pseudonym = Annotated[str, _matching("[0-9a-f]{64}")]  # HMAC-SHA256 of the person's id, whole
RequestId = Annotated[str, _matching("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]  # a UUID
Mark = Annotated[str, _matching("[0-9a-f-]{16,64}")]  # a keyed hash or UUID
KeyId = Annotated[str, _matching("[0-9a-f]{16}")]
OperatorName = Annotated[str, _matching("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")]
Code = Annotated[str, _matching("[a-z]+(?:[_-][a-z0-9]+)*"), StringConstraints(max_length=40)]  # a word of the program
Line = Annotated[str, _matching(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,200}")]

Day = Annotated[str, _matching("[0-9]{4}-[0-9]{2}-[0-9]{2}")]

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]

Condition = Literal["person", "client", "items", "rows", "dates"]
State = Literal[
    "received", "identified", "planned", "quarantined", "erasing", "verifying", "published", "closed",
    "refused", "cancelled", "held", "failed",
]  # fmt: skip
Outcome = Literal["PASS", "FAIL"]


class Facts(BaseModel):
    """What a line of the audit log may say: these fields of these types and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    request: RequestId | None = None
    pseudonym: Pseudonym | None = None
    state: State | None = None
    due: Day | None = None
    reason: Code | None = None
    method: Code | None = None
    operator: OperatorName | None = None
    key_id: KeyId | None = None
    roles: Sequence[Code] | None = None
    plan: Digest | None = None
    certificate: Digest | None = None
    signature: Digest | None = None
    findings: Sequence[Digest] | None = None
    client: Line | None = None
    clients: Count | None = None
    rows: Count | None = None
    bytes: Count | None = None
