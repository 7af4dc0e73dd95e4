"""An erasure reaches every copy that the run makes: with baselines beside it, no file of the run knows the person."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import fedrec
from fedrec.config import load
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError
from fedrec.protocol.adapters import State
from server.commands.simulate import simulate
from server.federated_executor import FederatedExecutor
from server.launch import simulate as launch
from server.prepare import prepare
from server.simulated_run import open_run
from tests.conftest import TITLES, Settings
from tests.server.test_federated_executor import Copy, asked, execution, of, without
from unlearning.executor import Located
from unlearning.workflow.planning import BACKUPS, EXPORTS, OTHERS, kept_titles
from unlearning.workflow.workflow import Workflow

BASELINES = ["central", "ditto", "local"]


def states(path: Path) -> Iterator[State]:
    """The adapters in a file of tensors, by shard and client; each without its prefix."""
    if path.suffix != ".safetensors" or "judged" in path.name:
        return
    groups: dict[str, State] = {}
    for name, array in load_file(path).items():
        prefix, _, key = name.rpartition("/") if "/" in name else ("", "", name)
        groups.setdefault(prefix, {})[key] = array
    yield from groups.values()


def prints(folder: Path) -> dict[bytes, Path]:
    """The content of every tensor in a folder that some training made, and a file in which it is."""
    found = {}
    for path in sorted(folder.rglob("*.safetensors")):
        for state in states(path):
            for array in state.values():
                if array.ndim == 2 and array.any():
                    found[np.ascontiguousarray(array).tobytes()] = path
    return found


def texts(path: Path) -> bytes:
    """What a file says, with arrays of text as text."""
    raw = path.read_bytes()
    if path.suffix == ".npz":
        with np.load(io.BytesIO(raw), allow_pickle=False) as content:
            raw += "\n".join(str(value) for array in content.values() for value in array.ravel()).encode()
    return raw + raw.replace(b"\0", b"")


def test_no_file_of_the_run_knows_the_person_afterwards(tmp_path: Path, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    (home,) = run.clients_of()["u07"]
    shard, beside = int(run.shard_of(["u07"])[0]), {"baselines", *(baseline.id for baseline in run.baselines)}
    trained = prints(run.folder / "initial")
    learned = {
        key: path
        for key, path in prints(run.folder).items()
        if key not in trained and (beside & {*path.parts} or f"shard-{shard}" in path.parts)
    }
    knowing = [path for path in run.folder.rglob("*") if path.is_file() and b"u07" in texts(path)]
    assert any(beside & {*path.parts} for path in knowing) and len(learned) > 50

    asked(run, *of("u07"))
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"]

    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert [path for path in files if b"u07" in texts(path)] == []
    left = prints(run.folder)
    assert sorted({str(left[key]) for key in learned.keys() & left.keys()}) == []
    assert not list((run.folder / "baselines").iterdir())
    assert home in run.clients


def test_one_vault_a_client_is_the_only_copy_of_its_rows(tmp_path: Path, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    vaults = sorted(path.relative_to(run.folder) for path in run.folder.rglob("vault.db"))
    assert vaults == [Path("clients", name, "vault.db") for name in run.clients]
    everybody = {user for name in run.clients for user in run.homes[name].users()}
    for baseline in run.baselines:
        assert set(baseline.clients_of()) == everybody
        names = ("central",) if baseline.name == "central" else run.clients
        assert baseline.clients == names
        rows = [baseline.rows_of(name) for name in names]
        assert sum(map(len, rows)) == 24 * 12


def test_central_training_reads_what_one_place_would_hold(tmp_path: Path, small: Settings, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    (central, *_) = run.baselines
    alone = prepare(load(overrides=small(strategy="central", shards=2)), tmp_path / "alone")
    ours, theirs = (each.rows_of("central") for each in (central, alone))
    assert ours.user_ids == theirs.user_ids and ours.client_ids == theirs.client_ids
    for column in ("user", "item", "label", "time", "split", "client"):
        np.testing.assert_array_equal(getattr(ours, column), getattr(theirs, column))


def test_resumed_the_baselines_are_trained_again_as_if_the_person_had_never_been_there(
    tmp_path: Path, small: Settings, compared: Copy, ratings: Path
) -> None:
    run = compared(tmp_path / "run")
    asked(run, *of("u07"))
    execution(run).run()
    assert json.loads((run.folder / "result.json").read_text())["baselines"] == []
    simulate(resume=run.folder)
    settings = {**small(shards=2, train__epochs=1), "data.path": without(ratings, tmp_path, {"u07"})}
    never = fedrec.simulate(strategy=["pplr", "central"], settings=settings, out=tmp_path / "never", workers=0)
    again = open_run(run.folder)
    assert [baseline.name for baseline in again.baselines] == BASELINES
    assert "u07" not in {user for baseline in again.baselines for user in baseline.clients_of()}
    assert again.baselines[0].result["adapter_hash"] == never.result["baselines"][0]["adapter_hash"]


def test_a_baseline_of_which_the_removal_broke_off_is_no_baseline(tmp_path: Path, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    place = run.folder / "baselines"
    (place / "local").rename(place / "local.removed")
    assert [baseline.name for baseline in run.baselines] == ["central", "ditto"]
    assert run.remove_baselines() == ["central", "ditto"]
    assert not list(place.iterdir())


def test_an_erasure_that_finds_nothing_leaves_the_baselines(tmp_path: Path, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    assert execution(run).executor.withdraw(of("nobody")[0], None, []) == []
    assert [baseline.name for baseline in run.baselines] == BASELINES


def test_what_cannot_be_reached_is_named_in_plan_certificate_and_letter(tmp_path: Path, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    execution(run).run()
    workflow = Workflow(run)
    plan = workflow.ledger.get(id_).plan
    assert plan is not None and plan["baselines_removed"] == BASELINES
    source = "the file or folder that the records came from (ratings.csv)"
    named = [BACKUPS, EXPORTS, OTHERS, source]
    certificate = json.loads((workflow.certificates / f"{id_}.json").read_bytes())["certificate"]
    letter = (workflow.folder / "documents" / f"{id_}.txt").read_text()
    for what in named:
        assert what in [*plan["exceptions"], *plan["elsewhere"]]
        assert what in [each["what"] for each in [*certificate["exceptions"], *certificate["elsewhere"]]]
        assert what in letter


@pytest.fixture
def alone(tmp_path: Path, ratings: Path) -> Path:
    """The ratings, and two titles that only u07 has rated, one of which u11 has come to as well."""
    when, both = 1_600_000_000, [("u07", "Hidden thing"), ("u07", "Shared thing"), ("u11", "Shared thing")]
    lines = [f"{user},{title.split()[0]},5,{when},{title}" for user, title in both]
    path = tmp_path / "alone.csv"
    path.write_text(ratings.read_text("utf-8") + "\n".join(lines) + "\n", "utf-8")
    return path


def test_titles_that_only_the_erased_had_are_counted_in_plan_certificate_and_letter(
    tmp_path: Path, small: Settings, alone: Path
) -> None:
    run = prepare(load(overrides=small(federation__rounds=1, data__path=str(alone))), tmp_path / "run")
    launch(run)
    assert not run.reference.listed
    who = [Selection(users=users) for users in (("u07",), ("u11",), ("u07", "u11"))]
    assert [run.titles_of_only(each, run.clients) for each in who] == [1, 0, 2]
    ids = asked(run, *of("u07", "u11"))
    execution(run).run()
    workflow = Workflow(run)
    told = {
        id_: [what for what in workflow.ledger.get(id_).plan["elsewhere"] if "list of titles" in what] for id_ in ids
    }
    same = "; what was trained again is bit for bit as trained without them over the same list"
    assert told[ids[0]] == [
        f"the list of titles was made of all records: 1 title that only these records had stays in it{same}"
    ]
    assert told[ids[1]] == [f"the list of titles was made of all records, and stays as it is{same}"]
    for id_, (what,) in told.items():
        certificate = json.loads((workflow.certificates / f"{id_}.json").read_bytes())["certificate"]
        assert what in [each["what"] for each in certificate["elsewhere"]]
        assert what in (workflow.folder / "documents" / f"{id_}.txt").read_text()
        assert workflow.ledger.get(id_).plan["why"].endswith("over the same catalogue")
        assert "Hidden" not in what


def test_a_catalogue_that_is_a_list_of_its_own_tells_nothing(tmp_path: Path, small: Settings, ratings: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "item,title\n" + "".join(f"i{k},{title}\n" for k, title in enumerate(TITLES)), "utf-8"
    )
    settings = small(data__path=str(ratings), data__items__path=str(tmp_path / "items.csv"))
    run = prepare(load(overrides=settings), tmp_path / "run")
    assert run.reference.listed and run.titles_of_only(Selection(users=("u07",)), run.clients) is None
    assert kept_titles(Located({"client-0": 3}, (0,), {}, {}, {})) == []


def test_no_baseline_is_trained_while_a_request_is_carried_out(
    tmp_path: Path, compared: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = compared(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FederatedExecutor, "erase", killed)
        execution(run).run()
    assert run.baselines == () and "u07" in run.clients_of()
    with pytest.raises(FedrecError, match=f"request {id_} is not erased yet"):
        simulate(resume=run.folder)
    assert run.baselines == ()


def test_nothing_federated_stands_beside_central_training(tmp_path: Path, small: Settings) -> None:
    with pytest.raises(UsageError, match="name it last, pplr,local,central"):
        fedrec.simulate(strategy=["central", "pplr", "local"], settings=small(), out=tmp_path / "run")


def test_a_baseline_answers_from_the_clients_own_rows(tmp_path: Path, compared: Copy) -> None:
    run = compared(tmp_path / "run")
    for baseline in run.baselines:
        client, found = baseline.recommend("u07", 3)
        assert client in baseline.clients and len(found) == 3
        assert baseline.client(client).ensemble.adapters()
