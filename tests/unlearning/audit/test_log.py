"""The audit log: nothing of a person in it, nothing altered in it, nothing lost by a crash."""

import json
import subprocess
import sys

import pytest

from fedrec.errors import FedrecError
from unlearning.audit.canonical import canonical
from unlearning.audit.chain import ORIGIN, link
from unlearning.audit.log import TORN, AuditLog, check, check_excerpt, excerpt

MINE = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
EVENTS = (
    ("submitted", {"request": MINE, "pseudonym": "ab" * 32, "operator": "ada"}),
    ("submitted", {"request": OTHER, "pseudonym": "cd" * 32}),
    ("state-changed", {"request": OTHER, "state": "planned", "plan": "12" * 32}),
    ("shards-withdrawn", {"request": MINE, "findings": ("34" * 32,), "rows": 25}),
    ("closed", {"request": OTHER, "state": "closed"}),
    ("closed", {"request": MINE, "state": "closed", "rows": 3}),
)


@pytest.fixture
def log(tmp_path):
    return filled(tmp_path / "audit.jsonl")


def filled(path):
    log = AuditLog(path)
    for event, facts in EVENTS:
        log.append(event, **facts)
    return log


def lines(log):
    return log.path.read_bytes().splitlines(keepends=True)


def found(log, raw):
    log.path.write_bytes(b"".join(raw))
    return [problem.line for problem in check(log.path).problems]


def test_what_was_written_holds(log):
    result = check(log.path)
    assert result.ok
    assert result.lines == len(EVENTS)
    assert result.head == log.head()
    written = [json.loads(line) for line in lines(log)]
    assert [line["seq"] for line in written] == list(range(len(EVENTS)))
    assert [(line["event"], line["facts"]) for line in written] == [
        (event, json.loads(json.dumps(facts))) for event, facts in EVENTS
    ]
    assert written[0]["previous"] == ORIGIN


def test_any_flipped_byte_is_found_in_its_line(log):
    raw = log.path.read_bytes()
    for index in range(len(raw)):
        log.path.write_bytes(raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :])
        problems = check(log.path).problems
        assert problems, index
        assert problems[0].line == raw[:index].count(b"\n") + 1


def test_removed_inserted_and_moved_lines_are_named(log):
    whole = lines(log)
    for one in range(len(whole) - 1):
        assert found(log, whole[:one] + whole[one + 1 :]) == [one + 1]
        for copied in {*whole} - {whole[one]}:
            assert found(log, [*whole[:one], copied, *whole[one:]])[0] == one + 1
        for other in range(one + 1, len(whole)):
            swapped = list(whole)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            assert found(log, swapped)[0] == one + 1


def test_a_forged_line_breaks_the_chain_behind_it(log):
    whole = lines(log)
    second = json.loads(whole[1])
    content = {key: value for key, value in second.items() if key not in ("previous", "hash")}
    forged = link({**content, "facts": {"request": MINE}}, second["previous"])
    assert found(log, [whole[0], canonical(forged) + b"\n", *whole[2:]]) == [3]


def test_lines_cut_from_the_end_are_found_by_a_head_known_elsewhere(log):
    head = log.head()
    whole = lines(log)
    assert check(log.path, [head, ORIGIN]).ok
    log.path.write_bytes(b"".join(whole[:-1]))
    assert check(log.path).ok
    assert not check(log.path, [head]).ok


def test_a_torn_line_hides_no_missing_ones(log):
    head = log.head()
    log.path.write_bytes(b"".join(lines(log)[:-1]) + b'{"at"')
    assert [problem.why for problem in check(log.path).problems] == [TORN]
    assert len(check(log.path, [head]).problems) == 2


def test_a_crash_at_any_byte_of_a_line_loses_that_line_only(tmp_path):
    log = filled(tmp_path / "audit.jsonl")
    raw, before = log.path.read_bytes(), b"".join(lines(log)[:-1])
    for length in range(len(before) + 1, len(raw)):
        log.path.write_bytes(raw[:length])
        assert not check(log.path).ok
        log.append("resumed", request=MINE)
        assert check(log.path).ok
        now = [json.loads(line) for line in lines(log)]
        assert log.path.read_bytes().startswith(before)
        if length == len(raw) - 1:  # only the line's end was missing: the line is kept
            assert log.path.read_bytes().startswith(raw)
            assert [line["event"] for line in now[5:]] == ["closed", "resumed"]
        else:
            assert [line["event"] for line in now[5:]] == ["log-repaired", "resumed"]
            assert now[5]["facts"] == {"bytes": length - len(before)}


def test_a_crash_in_the_first_line(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    assert log.head() == ORIGIN
    log.path.write_bytes(b'{"at"')
    log.append("resumed")
    assert check(log.path).ok
    assert check(log.path).lines == 2


def test_nothing_follows_an_altered_line(log):
    log.path.write_bytes(log.path.read_bytes().replace(b'"rows":3', b'"rows":4'))
    with pytest.raises(FedrecError, match="altered"):
        log.append("resumed")


@pytest.mark.parametrize(
    "event, facts",
    [
        ("submitted", {"user": "42"}),
        ("submitted", {"pseudonym": "42"}),
        ("submitted", {"pseudonym": "ada@example.org"}),
        ("submitted", {"request": "user-42"}),
        ("submitted", {"operator": "ada@example.org"}),
        ("submitted", {"rows": "42"}),
        ("submitted", {"rows": -1}),
        ("submitted", {"rows": True}),
        ("submitted", {"findings": ["42"]}),
        ("submitted", {"findings": "34" * 32}),
        ("submitted", {"state": "42"}),
        ("submitted", {"reason": "Ada asked 42 times"}),
        ("submitted", {"clients": float("nan")}),
        ("Submitted by 42", {}),
        ("submitted\n", {}),
    ],
)
def test_what_is_not_on_the_list_is_refused_and_not_repeated(log, event, facts):
    before = log.path.read_bytes()
    with pytest.raises(ValueError) as caught:
        log.append(event, **facts)
    assert "42" not in str(caught.value)
    assert "example" not in str(caught.value)
    assert log.path.read_bytes() == before


def test_processes_take_turns(tmp_path):
    path = tmp_path / "audit.jsonl"
    code = (
        "import sys; from pathlib import Path; from unlearning.audit.log import AuditLog\n"
        "for k in range(20): AuditLog(Path(sys.argv[1])).append('tick', rows=k)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert check(path).ok
    assert check(path).lines == 60


def test_an_excerpt_tells_of_one_request_and_proves_its_place(log):
    part, head = excerpt(log.path, MINE), log.head()
    assert check_excerpt(part, MINE, head) == ()
    told = [line["seq"] for line in part if "facts" in line]
    assert told == [0, 3, 5]
    assert "cd" * 32 not in json.dumps(part)
    assert check_excerpt(part, OTHER, head)
    assert check_excerpt(part, MINE, "0" * 64)
    assert check_excerpt(part[:-1], MINE, head)
    for one in range(1, len(part) - 1):
        assert check_excerpt(part[:one] + part[one + 1 :], MINE, head)[0].line == one + 1
    part[3]["facts"]["rows"] = 0
    assert check_excerpt(part, MINE, head)[0].line == 4


def test_an_excerpt_of_an_unknown_request_is_empty(log):
    assert excerpt(log.path, "0" * 36) == []
    assert check_excerpt([], MINE, log.head())


def test_no_log_is_one_line(tmp_path):
    with pytest.raises(FedrecError, match="no audit log"):
        check(tmp_path / "audit.jsonl")
