"""Due dates: calendar months, month ends, weekends."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.requests.policy import Policy, add_months, next_working_day

days = st.dates(date(1990, 1, 1), date(2200, 1, 1))
months = st.integers(0, 30)


@given(days, months)
def test_the_same_day_or_the_last_of_a_shorter_month(day: date, number: int) -> None:
    due = add_months(day, number)
    assert (due.year * 12 + due.month) - (day.year * 12 + day.month) == number
    assert due.day == day.day or due.day == monthrange(due.year, due.month)[1] < day.day


@given(days, days, months)
def test_who_comes_first_is_due_first(one: date, other: date, number: int) -> None:
    assert one > other or add_months(one, number) <= add_months(other, number)


@given(days, months, months)
def test_an_extension_counts_from_the_receipt(day: date, first: int, more: int) -> None:
    whole = add_months(day, first + more)
    assert whole >= add_months(add_months(day, first), more)  # in two steps a short month between would cost days


@pytest.mark.parametrize(
    ("received", "number", "due"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-12-31", 1, "2027-01-31"),
        ("2026-02-28", 1, "2026-03-28"),
    ],
)
def test_month_ends(received: str, number: int, due: str) -> None:
    assert add_months(date.fromisoformat(received), number) == date.fromisoformat(due)


@given(days)
def test_a_weekend_becomes_monday_and_a_weekday_stays(day: date) -> None:
    due = next_working_day(day)
    assert due == day if day.weekday() < 5 else due.weekday() == 0 and 0 < (due - day).days <= 2


def test_the_rule_for_weekends_is_a_choice() -> None:
    friday_13_february = date(2026, 2, 13)
    working = Policy(next_working_day=True)
    assert [working.last_day(date(2026, 1, 13 + n)).day for n in range(4)] == [13, 16, 16, 16]
    assert Policy().last_day(date(2026, 1, 14)).day == 14
    assert Policy().last_day(date(2026, 1, 14), extended=True) == date(2026, 4, 14)
    assert friday_13_february.weekday() == 4
