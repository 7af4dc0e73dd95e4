"""What each certificate of a row began with is what the one before it had left, or it is said how it is not."""

import pytest

from tests.unlearning.certificates.made import made
from unlearning.certificates.chain import in_order
from unlearning.certificates.continuity import succession

ORIGIN = "0" * 64
FIRST, SECOND = (f"{k}1111111-2222-4333-8444-555555555555" for k in (1, 2))
ROWS = {"a": "aa" * 32, "b": "bb" * 32}
PINS = {"catalogue": "c0" * 32, "base": "ba" * 32, "initial": "1a" * 32}
ENDS = {"a": [3, "a3" * 32], "b": [1, "b1" * 32]}


def adapters(before, after):
    return [{"client": c, "shard": 3, "before": before and c * 64, "after": after * 64} for c in "ab"]


def row(folder, then=None, **second):
    """A certificate and the next, and their evidence.

    Args:
        then: what the second plan says otherwise than that all is as it was left.
    """
    first = made(folder / "1", request=FIRST, adapters=adapters("0", "1"))[2]
    served = [{**each, "before": "1" * 64} for each in adapters("1", "2")]
    later = made(folder / "2", **{"request": SECOND, "previous": first.digest, "adapters": served, **second})[2]
    plan = {"follows": first.digest, "data_before": ROWS, "erasures_before": ENDS, **(then or {})}
    both = {"data_manifest.json": {"after": ROWS, "erasures_after": ENDS}, "config.json": {"pinned": {**PINS}}}
    return [first, later], {FIRST: {**both, "plan.json": {"follows": None}}, SECOND: {**both, "plan.json": plan}}


def test_what_is_as_it_was_left_is_nothing_to_say(tmp_path):
    certificates, evidence = row(tmp_path)
    assert [*succession(certificates, evidence)] == []
    assert in_order(reversed(certificates)) == certificates


@pytest.mark.parametrize("what", PINS)
def test_what_the_run_was_prepared_over_never_changes(tmp_path, what):
    certificates, evidence = row(tmp_path)
    evidence[SECOND]["config.json"] = {"pinned": {**PINS, what: "ff" * 32}}
    (said,) = succession(certificates, evidence)
    assert (said.request, said.fault) == (SECOND, True)
    assert f"another {what} than when {FIRST} was certified" in said.why
    evidence[FIRST]["config.json"] = {"shards": 4}  # of a version that pinned nothing
    assert [*succession(certificates, evidence)] == []


@pytest.mark.parametrize(
    ("then", "fault", "why"),
    [
        ({"data_before": {**ROWS, "a": "cc" * 32}}, False, "a has other rows than .* rows were imported"),
        ({"data_before": {**ROWS, "b": ""}}, False, "the rows of b: the key .* is destroyed"),
        ({"erasures_before": {**ENDS, "a": [5, "a5" * 32]}}, None, ""),  # the same rows: nothing of them was there
        (
            {"data_before": {**ROWS, "a": "cc" * 32}, "erasures_before": {**ENDS, "a": [5, "a5" * 32]}},
            False, "a has other rows .* it erased 2 times more by itself",
        ),
        ({"erasures_before": {**ENDS, "a": [2, "a2" * 32]}}, True, "a lacks erasures .* an old copy was put back"),
        ({"erasures_before": {"a": ENDS["a"]}}, True, "b lacks erasures"),
        ({"erasures_before": {**ENDS, "b": [1, "cc" * 32]}}, True, "b lacks erasures"),  # the same number of others
        (
            {"data_before": {**ROWS, "a": "cc" * 32}, "erasures_before": {**ENDS, "a": [2, "a2" * 32]}},
            True, "a lacks erasures",
        ),
        ({"data_before": {"a": ROWS["a"]}}, True, "b was there when 11111111"),
        ({"follows": "ff" * 32}, True, "a certificate left that is not before it"),
    ],
)  # fmt: skip
def test_a_fault_and_what_may_be_are_told_apart(tmp_path, then, fault, why):
    import re

    said = [*succession(*row(tmp_path, then))]
    assert [(one.request, one.fault) for one in said] == ([] if fault is None else [(SECOND, fault)])
    assert all(re.search(why, one.why) for one in said)


def test_another_adapter_than_was_left_is_a_fault_unless_the_run_is_another(tmp_path):
    other = [{**each, "before": "7" * 64} for each in adapters("1", "2")]
    said = [*succession(*row(tmp_path / "same", adapters=other))]
    assert [one.fault for one in said] == [True, True] and "another adapter of shard 3" in said[0].why
    said = [*succession(*row(tmp_path / "other", adapters=other, config="ff" * 32))]
    assert [one.fault for one in said] == [False, False] and "may have trained more" in said[0].why
    out = [{**each, "before": None} for each in other]  # withdrawn by another request
    assert [*succession(*row(tmp_path / "out", adapters=out))] == []


def test_two_of_one_batch_begin_with_the_same(tmp_path):
    certificates, evidence = row(tmp_path)
    third = FIRST.replace("1", "3")
    beside = made(tmp_path / "3", request=third, previous=certificates[1].digest, adapters=adapters(None, "2"))[2]
    batch = {**evidence[SECOND], "data_manifest.json": {"after": {**ROWS, "a": "ee" * 32}, "erasures_after": ENDS}}
    assert [*succession([*certificates, beside], {FIRST: evidence[FIRST], SECOND: batch, third: batch})] == []


def test_without_evidence_it_is_said_that_nothing_is_known(tmp_path):
    certificates, evidence = row(tmp_path)
    del evidence[SECOND]
    assert [(one.request, one.fault) for one in succession(certificates, evidence)] == [(SECOND, False)]
    missing = [*succession(certificates[1:], evidence)]
    assert [one.fault for one in missing] == [False]
