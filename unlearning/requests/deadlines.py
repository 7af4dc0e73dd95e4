"""When a request must be answered: calendar months from the day of receipt, GDPR Art. 12(3).

Counted as Regulation (EEC, Euratom) 1182/71 Art. 3 counts: the period ends with the day of the same number, or with the
month's last where there is none. Days are UTC.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

SATURDAY = 5


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or the last of a shorter month: 31 January + 1 is 28 or 29 February."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def next_working_day(day: date) -> date:
    """The day itself, or the Monday after a weekend. Public holidays count as working days, so it is never too late."""
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= SATURDAY else day


def last_day(received: date, months: int, working: bool) -> date:
    """The last day to answer what was received that day; `working` moves it off a weekend."""
    day = add_months(received, months)
    return next_working_day(day) if working else day
