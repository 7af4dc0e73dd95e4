"""A request that cannot be carried out fails alone and says why; what is broken beside it blocks no erasure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from clients import erasure
from clients.client import Client
from fedrec.data.prompts import Window
from fedrec.data.selection import Selection
from fedrec.ensemble import erasure_steps
from fedrec.ensemble.erased_rows import Erased, discard, held, hold
from fedrec.errors import FedrecError
from fedrec.files import write_json
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy, asked, execution, naming, of, verified
from tests.unlearning.workflow.test_execution import report_of, two_shards, withdrawn
from unlearning.executor import Rehearsal
from unlearning.requests.states import State
from unlearning.requests.transitions import Decision
from unlearning.workflow import execution as executed
from unlearning.workflow import measuring, proof
from unlearning.workflow.execution import Execution


def states(work: Execution, *ids: str) -> list[State]:
    return [work.workflow.ledger.get(id_).state for id_ in ids]


def why(work: Execution, id_: str) -> str:
    return work.workflow.ledger.get(id_).reasons["failed"]


def impossible(run: SimulatedRun, kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A request as an older or a broken program may have left it, and what is wrong with it."""
    if kind == "dates":
        with monkeypatch.context() as patch:
            patch.setattr(Selection, "check_conditions", lambda _: None)
            return asked(run, Selection(users=("u07",), since=9, until=3))[0], "the dates are the wrong way round"
    if kind == "client":
        return asked(run, *of("u07"), client="client-9")[0], "client client-9: not in the run"
    if kind == "key":
        (id_,) = asked(run, *of("u07"))
        for key in (run.folder / "erasure" / "subjects" / "requests").glob(f"{id_}*"):
            key.unlink()
        return id_, "its subject's key is not in"
    with monkeypatch.context() as patch:
        patch.setattr(Selection, "model_dump_json", lambda _: '{"user": "u07"}')
        return asked(run, *of("u07"))[0], "what it covers is not written as this fedrec reads it"


@pytest.mark.parametrize("kind", ["dates", "client", "key", "form"])
def test_it_fails_alone_says_why_and_can_be_refused(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    run = finished(tmp_path / "run")
    bad, told = impossible(run, kind, monkeypatch)
    (good,) = asked(run, *of("u11"))
    work = execution(run)
    outcomes = {outcome["id"]: outcome for outcome in work.run()}
    assert states(work, bad, good) == [State.FAILED, State.CLOSED]
    assert told in why(work, bad) and told in outcomes[bad]["reason"] and "u07" not in why(work, bad)
    assert [brief.why for brief in work.workflow.ledger.status()[0]] == [why(work, bad)]
    assert withdrawn(run) == set()  # nothing of it was begun
    assert [each["id"] for each in execution(run).run()] == []
    refused = Decision("refused", "it names what cannot be", "the authority")
    assert work.workflow.decide(bad, refused, work.signer).state == State.REFUSED


def test_what_fails_half_way_keeps_its_shard_withdrawn_and_its_company_goes_on(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    one, other = two_shards(run)
    bad, good = asked(run, *of(one), Selection(users=(other,)))
    (beside,) = asked(run, Selection(items=("i4",)))  # of both shards, so that all three are one batch
    real = erasure.erase

    def full(client: Client, selection: Selection, request: str) -> int:
        if request == bad and client.name == "client-1":
            raise OSError("no space left on device")
        return real(client, selection, request)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "erase", full)
        work = execution(run)
        work.run()
    assert states(work, bad, good, beside) == [State.FAILED, State.CLOSED, State.CLOSED]
    assert "no space left on device" in why(work, bad)
    assert withdrawn(run) == {0}
    replies = {id_: (work.workflow.folder / "documents" / f"{id_}.txt").read_text() for id_ in (good, beside)}
    assert "another request still keeps it out of use" in replies[beside]
    assert "and back in use" in replies[good]
    with pytest.raises(FedrecError, match="cannot become refused"):
        work.workflow.decide(bad, Decision("refused", "too late", "the authority"), work.signer)
    work.workflow.decide(bad, Decision("released"), work.signer)
    again = execution(run)
    again.run()
    assert states(again, bad) == [State.CLOSED] and withdrawn(run) == set()
    assert all(verified(again.workflow, id_) for id_ in (bad, good, beside))


def test_where_a_client_answers_nothing_no_request_is_blamed(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))

    def unplugged(*_: Any) -> None:
        raise OSError("input/output error")

    with monkeypatch.context() as patch, pytest.raises(FedrecError, match="input/output error"):
        patch.setattr(erasure_steps, "locate", unplugged)
        execution(run).run()
    work = execution(run)
    assert states(work, *ids) == [State.IDENTIFIED] * 2
    work.run()
    assert states(work, *ids) == [State.CLOSED] * 2


@pytest.mark.parametrize("content", [b"", b"u07 is in here", b"PK\x03\x04u07"])
@pytest.mark.parametrize("name", ["scores.npz", "judged.safetensors"])
def test_a_broken_file_of_a_client_blocks_nothing_and_is_gone(
    tmp_path: Path, finished: Copy, name: str, content: bytes
) -> None:
    run = finished(tmp_path / "run")
    for client in run.clients:
        (run.client(client).folder / name).write_bytes(content)
    ids = asked(run, *of("u07"))
    work = execution(run)
    work.run()
    assert states(work, *ids) == [State.CLOSED]
    assert naming(run, "u07") == []
    assert run.recommend("u08", 3)[1]


def test_held_rows_that_a_crash_left_broken_are_not_held(tmp_path: Path) -> None:
    window = Window(np.arange(5), np.array([4]), np.array([0], np.intp))
    hold(tmp_path, "r", Erased([window], np.array([1]), np.array([0], np.int32), ("u07",)))
    assert held(tmp_path, "r").labels.tolist() == [1] and held(tmp_path, "r").people == ("u07",)
    whole = {end: (tmp_path / f"r.{end}").read_bytes() for end in ("key", "rows")}
    for end, content in whole.items():
        for broken in (b"", content[:20], content[:-1]):
            (tmp_path / f"r.{end}").write_bytes(broken)
            assert not held(tmp_path, "r").windows
        (tmp_path / f"r.{end}").write_bytes(content)
    discard(tmp_path, "r")
    assert not held(tmp_path, "r").windows and not list(tmp_path.iterdir())


def test_each_is_judged_by_the_thresholds_that_its_own_plan_fixed(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    users = [user for user in sorted(run.clients_of()) if run.shard_of([user])[0] == 0][:2]
    policy = run.folder / "erasure" / "policy.json"
    ids = []
    for user, membership in zip(users, (0.9, 0.1), strict=True):  # planned on different days, carried out together
        write_json(policy, {"thresholds": {"membership": membership, "utility": 1}})
        ids += asked(run, Selection(users=(user,)))
        with monkeypatch.context() as patch:
            patch.setattr(Execution, "_carry_out", lambda *_: None)
            execution(run).run()
    work = execution(run)
    assert states(work, *ids) == [State.PLANNED] * 2
    monkeypatch.setattr(work.executor, "rehearse", lambda *_: Rehearsal([-0.1] * 40, [-9.0] * 400, None))
    work.run()
    assert states(work, *ids) == [State.CLOSED, State.FAILED]
    assert "still remembered" in why(work, ids[1])
    assert report_of(work.workflow, ids[0]).thresholds.membership == 0.9
    assert verified(work.workflow, ids[0]) and withdrawn(run) == {0}


def test_a_failed_one_is_released_into_another_batch(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    work = execution(run)
    real = work.executor.rehearse
    work.executor.rehearse = lambda *_: Rehearsal([-9.0] * 40, [-0.1] * 400, None)  # type: ignore[method-assign]
    work.run()
    assert "verification failed: membership inference" in why(work, id_)
    work.executor.rehearse = real  # type: ignore[method-assign]
    work.workflow.decide(id_, Decision("released"), work.signer)
    replace(work).run()
    assert states(work, id_) == [State.CLOSED] and withdrawn(run) == set()


@pytest.mark.parametrize(
    "lie", [{"shards": (99,)}, {"rows": -1, "shards": (-1,)}, {"rows": 0, "shards": (0,)}, {"left": -5}]
)
@pytest.mark.parametrize("erased", [False, True])
def test_a_client_that_answers_nonsense_fails_the_requests_that_it_answers_so(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any], erased: bool
) -> None:
    run = finished(tmp_path / "run")
    bad, good = asked(run, *of("u07", "u11"))
    real = erasure_steps.locate

    def lying(client: Client, selection: Selection) -> erasure_steps.Held:
        held = real(client, selection)
        lies = client.name == "client-1" and selection.users == ("u07",)
        return replace(held, **lie) if lies and not (erased and "u07" in client.store.home.users()) else held

    monkeypatch.setattr(erasure_steps, "locate", lying)
    work = execution(run)
    work.run()
    assert states(work, bad, good) == [State.FAILED, State.CLOSED]
    assert "client client-1" in why(work, bad) and verified(work.workflow, good)


@pytest.mark.parametrize("step", ["judged", "certify", "impact"])
def test_what_nobody_foresaw_fails_the_request_alone_and_names_nobody(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    run = finished(tmp_path / "run")
    bad, good = asked(run, *of("u07", "u11"))
    where: ModuleType = {"impact": executed, "judged": measuring, "certify": proof}[step]
    real, calls = getattr(where, step), []

    def once(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise KeyError("u07")
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(where, step, once)
        work = execution(run)
        work.run()
    assert sorted(states(work, bad, good)) == [State.CLOSED, State.FAILED]
    (failed,) = (id_ for id_ in (bad, good) if states(work, id_) == [State.FAILED])
    assert "KeyError in test_failing_alone.py" in why(work, failed) and "u07" not in why(work, failed)
    work.workflow.decide(failed, Decision("released"), work.signer)
    execution(run).run()
    assert states(work, bad, good) == [State.CLOSED] * 2 and verified(work.workflow, failed)
