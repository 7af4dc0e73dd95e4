"""What is said of default settings that do not keep their promise."""

from __future__ import annotations

import pytest

from experiments.default_settings import doubts, line


@pytest.mark.parametrize(
    ("before", "first", "last", "told"),
    [
        (0.70, 0.75, 0.78, []),
        (0.70, 0.779, 0.776, []),
        (0.70, 0.75, 0.76, ["below sum"]),
        (0.70, 0.79, 0.78, ["has fallen"]),
        (0.74, 0.71, 0.72, ["below sum", "has fallen"]),
    ],
)
def test_a_strategy_below_the_sum_or_its_own_past_is_named(
    before: float, first: float, last: float, told: list[str]
) -> None:
    places = {"before": {"auc": before}, "first": {"auc": first}, "last": {"auc": last}}
    row = {
        "data": "some",
        "scorers": {"sum": {"auc": 0.78}, "counts": {"auc": 0.79}},
        "strategies": {"pplr": places, "central": {place: {"auc": 0.8} for place in places}},
    }
    found = doubts(row)
    assert len(found) == len(told)
    assert all(part in said and "pplr" in said for part, said in zip(told, found, strict=True))
    assert line(row).endswith(f"| {'; '.join(found) or 'holds'} |")
