"""What a ledger allows: time to answer, how much one requester may ask, who may approve, how long a batch waits."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from pydantic import Field

from fedrec.settings import Section


class Policy(Section):
    """The rules of a ledger."""

    response_months: int = Field(1, ge=1, le=12, description="calendar months to answer in")
    extension_months: int = Field(2, ge=1, le=12, description="months that an extension adds, once")
    next_working_day: bool = Field(False, description="a last day on a weekend becomes the Monday after it")
    warn_days: int = Field(7, ge=0, le=90, description="days before a last day from which it is warned of")
    four_eyes: bool | None = Field(
        None,
        description="the approver must be another operator than the requester, who was there when the request came; "
        "left out: where two could approve it then",
    )
    max_open_per_requester: int = Field(1000, ge=1)
    max_submissions_per_hour: int = Field(500, ge=1, description="of one requester")
    batch_window: float = Field(0.0, ge=0, le=168, description="hours a batch waits for more, from its first request")

    def last_day(self, received: date, extended: bool = False) -> date:
        """The last day (UTC) to answer what was received that day: GDPR Art. 12(3)."""
        day = add_months(received, self.response_months + (self.extension_months if extended else 0))
        return next_working_day(day) if self.next_working_day else day


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or the last of a shorter month: Regulation (EEC, Euratom) 1182/71 Art. 3."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def next_working_day(day: date) -> date:
    """The day itself, or the Monday after a weekend. Public holidays count as working days, so it is never too late."""
    return day + timedelta(days=7 - day.weekday()) if day.weekday() > 4 else day
