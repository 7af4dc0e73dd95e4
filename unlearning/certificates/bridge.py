"""What a certificate says of an approximate answer that was served until the exact one was there."""

from __future__ import annotations

from pydantic import AwareDatetime, model_validator

from fedrec.settings import Section
from unlearning.audit.fields import Digest
from unlearning.certificates.claims import Claim, claimed_threshold


class Bridge(Section):
    """The approximate answer that was served until the exact one was there.

    Attributes:
        claim: of it.
        served_at, replaced_at: when it began to answer, and when the exact one took its place, by the audit log; None
            where another request keeps the latter from being served.
        verification_report: SHA-256 of what it was verified by, in `bridge.json` of the evidence.
    """

    claim: Claim
    served_at: AwareDatetime
    replaced_at: AwareDatetime | None
    verification_report: Digest

    @model_validator(mode="after")
    def _is_approximate(self) -> Bridge:
        if claimed_threshold(self.claim) is None:
            raise ValueError("a bridge is approximate")
        return self
