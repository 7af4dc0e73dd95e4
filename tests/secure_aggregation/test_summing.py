"""Sums of masked parts: whoever drops out and when, the sum is that of who is inside, and no part can be seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

from fedrec.errors import FedrecError
from fedrec.secure_aggregation.agreement import agreed, opened, private_key, public_key, sealed
from fedrec.secure_aggregation.fixed_point import LARGEST, Vector, decoded, encoded
from fedrec.secure_aggregation.masks import mask
from fedrec.secure_aggregation.participant import Participant, Secrets, threshold_of
from fedrec.secure_aggregation.sharing import joined, shared
from fedrec.secure_aggregation.summing import Summing, neighbours


class Sum:
    """All sides of one sum in this process."""

    def __init__(self, count: int, degree: int = 64, mute: Collection[str] = ()) -> None:
        """
        Args:
            mute: who announces keys and gives out no shares.
        """
        secrets = {f"c{number:03d}": Secrets.new() for number in range(count)}
        keys = {name: each.keys() for name, each in secrets.items()}
        near = neighbours(sorted(keys), "sum", degree)
        self.people = {
            name: Participant("sum", name, each, {other: keys[other] for other in near[name]})
            for name, each in secrets.items()
        }
        self.given = {name: each.shares() for name, each in self.people.items() if name not in mute}
        self.summing = Summing("sum", near, keys, self.given)
        random = np.random.default_rng(count)
        self.parts = {name: random.integers(0, 2**64, 40, np.uint64) for name in self.given}

    def near(self, name: str) -> list[str]:
        return [other for other in self.summing.near[name] if other in self.given]

    def masked(self, gone: Collection[str] = ()) -> dict[str, Vector]:
        return {
            name: self.people[name].masked(part, self.near(name))
            for name, part in self.parts.items()
            if name not in gone
        }

    def revealed(self, inside: Collection[str], silent: Collection[str] = ()) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for name in sorted({*inside} - {*silent}):
            boxes = {other: self.given[other][name] for other in self.near(name)}
            said = self.people[name].revealed(boxes, {*inside} & {*boxes}, {*boxes} - {*inside})
            for other, share in said.items():
                found.setdefault(other, []).append(share)
        return found


@pytest.mark.parametrize(
    ("count", "degree", "mute", "gone", "silent"),
    [
        (3, 64, (), (), ()),
        (3, 64, (), ("c001",), ()),
        (6, 64, ("c002",), (), ()),
        (6, 64, (), ("c000", "c005"), ()),
        (6, 64, (), (), ("c003", "c004")),
        (7, 64, ("c001",), ("c003",), ("c006",)),
        (20, 8, ("c004",), ("c009", "c015"), ("c002",)),
    ],
)
def test_the_sum_is_of_who_is_inside_whoever_drops_out_when(
    count: int, degree: int, mute: tuple[str, ...], gone: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    told = Sum(count, degree, mute)
    masked = told.masked(gone)
    total = told.summing.unmasked(masked, told.revealed(masked, silent))
    assert np.array_equal(total, sum((told.parts[name] for name in masked), np.zeros(40, np.uint64)))


def test_fifty_of_whom_thirty_percent_drop_out() -> None:
    told = Sum(50, degree=24)
    masked = told.masked([f"c{number:03d}" for number in range(0, 45, 3)])
    assert len(masked) == 35
    total = told.summing.unmasked(masked, told.revealed(masked))
    assert np.array_equal(total, sum((told.parts[name] for name in masked), np.zeros(40, np.uint64)))


def test_a_masked_part_is_uniform_and_nothing_that_one_or_two_secrets_undo() -> None:
    told = Sum(4)
    name, part = "c001", np.zeros(20_000, np.uint64)
    sent = told.people[name].masked(part, told.near(name))
    assert abs(float(np.mean(sent / 2.0**64)) - 0.5) < 0.01
    assert not np.array_equal(sent, mask(told.people[name].secrets.seed, len(part)))  # its own mask alone
    others = told.people[name].masked(part, told.near(name)) - mask(told.people[name].secrets.seed, len(part))
    assert others.any()


def test_too_few_shares_and_shares_of_something_else_give_no_sum() -> None:
    told = Sum(5)
    masked = told.masked(["c004"])
    shares = told.revealed(masked)
    with pytest.raises(FedrecError, match=r"2 neighbours give shares of c000, 3 needed"):
        told.summing.unmasked(masked, shares | {"c000": shares["c000"][:2]})
    for name in ("c000", "c004"):
        with pytest.raises(FedrecError, match="do not fit"):
            told.summing.unmasked(masked, shares | {name: shares["c002"]})


@pytest.mark.parametrize(
    ("inside", "dropped", "why"),
    [
        ("c000 c001 c002 c003", "c003 c004", "either inside the sum or dropped"),
        ("c000 c001 c002", "c004", "either inside the sum or dropped"),
        ("c000 c001", "c002 c003 c004", "only 2 are inside, 3 needed"),
        ("c001 c002 c003 c004", "c000", "only 4 are inside"),
    ],
)
def test_nobody_undoes_both_masks_of_another_nor_those_of_a_few(inside: str, dropped: str, why: str) -> None:
    told = Sum(5)
    boxes = {other: told.given[other]["c000"] for other in told.given}
    with pytest.raises(FedrecError, match=why):
        told.people["c000"].revealed(boxes, inside.split(), dropped.split())


def test_who_would_be_seen_through_takes_no_part() -> None:
    told = Sum(5)
    person = told.people["c000"]
    keys = dict(person.neighbours)
    with pytest.raises(FedrecError, match="fewer than 3"):
        Participant("sum", "c000", person.secrets, dict(list(keys.items())[:2]))
    with pytest.raises(FedrecError, match="one key"):
        Participant("sum", "c000", person.secrets, keys | {"c004": keys["c003"]})
    with pytest.raises(FedrecError, match="it is not in"):
        Participant("sum", "c000", Secrets.new(), keys)
    with pytest.raises(FedrecError, match="too few"):
        person.masked(told.parts["c000"], ["c000", "c001"])


def test_a_box_opens_for_one_sum_one_sender_and_one_receiver() -> None:
    told = Sum(3)
    boxes: dict[str, Any] = {other: told.given[other]["c000"] for other in told.given}
    with pytest.raises(ValueError, match="cannot be opened"):
        told.people["c000"].revealed(boxes | {"c001": boxes["c002"]}, [*boxes], [])
    key = bytes(32)
    with pytest.raises(ValueError, match="cannot be opened"):
        opened(key, sealed(key, b"said", "one context"), "another")


def test_two_agree_on_a_key_of_a_purpose() -> None:
    one, other = private_key(), private_key()
    assert (
        agreed(one, public_key(other), "x")
        == agreed(other, public_key(one), "x")
        != agreed(one, public_key(other), "y")
    )


def test_as_many_shares_as_are_needed_give_the_secret_and_one_less_does_not() -> None:
    secret = bytes(range(32))
    shares = shared(secret, 3, 5)
    assert joined(shares[1:4]) == joined(shares) == secret != joined(shares[:2])
    assert [threshold_of(count) for count in (3, 4, 50)] == [2, 3, 26]


def test_fixed_point_sums_are_exact_to_their_resolution_and_refuse_what_they_cannot_hold() -> None:
    random = np.random.default_rng(0)
    values, weights = random.normal(0, 3, (30, 500)), random.integers(0, 10**5, 30)
    total = sum(
        (encoded(each, int(weight)) for each, weight in zip(values, weights, strict=True)), np.zeros(500, np.uint64)
    )
    assert np.abs(decoded(total) - (weights[:, None] * values).sum(0)).max() <= 30 * 2**-25 + 1e-6
    for bad in (np.nan, np.inf, -2 * LARGEST):
        with pytest.raises(FedrecError, match="nothing is sent"):
            encoded(np.array([0.0, bad]), 1)


def test_neighbours_are_mutual_a_ring_and_of_the_same_number() -> None:
    names = [f"c{number}" for number in range(30)]
    near = neighbours(names, "sum", 6)
    assert all(len(each) == 7 and name in each for name, each in near.items())
    assert all(name in near[other] for name in names for other in near[name])
    assert near != neighbours(names, "another", 6)
    assert neighbours(names[:7], "sum", 6) == dict.fromkeys(names[:7], sorted(names[:7]))
