"""Old copies that are put back teach nobody again: clients' folders, their vaults, and what they serve."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from clients.commands.vault import app as vault_commands
from fedrec.ensemble.validation import judged_users
from fedrec.errors import FedrecError
from fedrec.protocol.adapters import digest_of
from server.commands.forget import app
from server.commands.simulate import simulate
from server.federation import Federation
from server.freshness import check_current
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy, asked, execution, of, served
from unlearning.requests.transitions import Decision

PutBack = Callable[[Path, Path], None]


def whole_clients(old: Path, run: Path) -> None:
    shutil.rmtree(run / "clients")
    shutil.copytree(old / "clients", run / "clients")


def one_client(old: Path, run: Path) -> None:
    home = SimulatedRun(old).clients_of()["u07"][0]
    shutil.rmtree(run / "clients" / home)
    shutil.copytree(old / "clients" / home, run / "clients" / home)


def vaults(old: Path, run: Path) -> None:
    for path in (run / "clients").glob("*/vault.db-*"):
        path.unlink()
    for path in (old / "clients").glob("*/vault.db"):
        shutil.copy(path, run / path.relative_to(old))


def models(old: Path, run: Path) -> None:
    for path in (old / "clients").glob("*/runs/*/*"):
        if path.name in ("manifest.json", "served"):
            shutil.rmtree(run / path.relative_to(old), ignore_errors=True)
            (shutil.copytree if path.is_dir() else shutil.copy)(path, run / path.relative_to(old))


def rounds(old: Path, run: Path) -> None:
    shutil.rmtree(run / "rounds")
    shutil.copytree(old / "rounds", run / "rounds")


def whole_clients_and_rounds(old: Path, run: Path) -> None:
    whole_clients(old, run)
    rounds(old, run)


def one_client_and_rounds(old: Path, run: Path) -> None:
    one_client(old, run)
    rounds(old, run)


@pytest.mark.parametrize("put_back", [whole_clients_and_rounds, one_client_and_rounds, rounds])
def test_the_withdrawn_model_is_not_served_again_from_the_rounds(
    tmp_path: Path, finished: Copy, put_back: PutBack
) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right, newest, last = served(run), digests(run), run.rounds.entry(run.config.federation.rounds)
    put_back(old.folder, run.folder)
    assert digests(run) != newest

    told = forget(run, "audit")
    assert told.exit_code == 1
    assert "FAIL  rounds/0002/models.safetensors: shard" in told.output and "forget run" in told.output
    said: list[str] = []
    execution(run, said).run()
    assert any("as if it had been put back: trained again" in line for line in said)
    assert served(run) == right and digests(run) == newest
    again = run.rounds.entry(run.config.federation.rounds)
    assert (again.clients, again.adapter_hash) == (last.clients, last.adapter_hash)
    said.clear()
    execution(run, said).run()
    assert forget(run, "run").exit_code == 0  # which writes the page too
    assert forget(run, "audit").exit_code == 0
    assert said == [] and not (run.folder / "retrained").exists()


def digests(run: SimulatedRun) -> dict[str, list[str]]:
    found = run.rounds.models(run.config.federation.rounds)
    return {name: [digest_of(state) for state in model] for name, model in found.items()}


def test_resuming_trains_again_what_the_rounds_have_of_before(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right, newest = served(run), digests(run)
    whole_clients_and_rounds(old.folder, run.folder)
    simulate(resume=run.folder)
    assert served(run) == right and digests(run) == newest


def test_rounds_that_cannot_be_trained_again_are_refused_and_nothing_of_them_is_served(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right, newest = served(run), finished(tmp_path / "newest").folder
    shutil.rmtree(newest)
    shutil.copytree(run.folder, newest)
    whole_clients_and_rounds(old.folder, run.folder)
    other = old.rounds.models(run.config.federation.rounds)
    shards = sorted({*range(2)} - {1 - int(run.shard_of(["u07"])[0])})
    with monkeypatch.context() as patch:
        patch.setattr(
            Federation, "retrain", lambda *_: {name: [model[s] for s in shards] for name, model in other.items()}
        )
        for _ in range(2):
            with pytest.raises(FedrecError, match=r"rounds as it was after that$") as refused:
                execution(run).run()
            assert "0002/models.safetensors: shard" in str(refused.value)
            assert all(run.client(name).ensemble.hashes() == {} for name in run.clients)
    rounds(newest, run.folder)
    execution(run).run()
    assert served(run) == right


@pytest.mark.parametrize("put_back", [whole_clients, one_client, vaults, models])
def test_what_is_put_back_is_not_served_and_not_learned_from(tmp_path: Path, finished: Copy, put_back: PutBack) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right, data = served(run), [run.client(name).vault.manifest().digest for name in run.clients]
    put_back(old.folder, run.folder)
    if put_back is not models:
        assert "u07" in run.clients_of()

    with pytest.raises(FedrecError, match="put back"):
        check_current(run)
        run.recommend("u11", 3)
    with pytest.raises(FedrecError, match=r"as if an old copy had been put back: `fedrec forget run --run"):
        execution(run).executor.check_current()

    said: list[str] = []
    execution(run, said).run()  # nothing is approved: it only catches up
    assert said and all("as if an old copy had been put back" in line and "\n" not in line for line in said)
    assert "u07" not in run.clients_of()
    assert served(run) == right
    assert [run.client(name).vault.manifest().digest for name in run.clients] == data
    check_current(run)
    assert run.recommend("u11", 3)[1]
    said.clear()
    execution(run, said).run()
    assert said == []


def test_the_next_erasure_begins_with_the_data_the_last_one_left(tmp_path: Path, finished: Copy) -> None:
    run, old, same = (finished(tmp_path / name) for name in ("run", "old", "same"))
    for each in (run, same):
        asked(each, *of("u07"))
        execution(each).run()
    whole_clients(old.folder, run.folder)
    for each in (run, same):
        asked(each, *of("u11"))
        assert [outcome["state"] for outcome in execution(each).run()] == ["closed"]
    assert served(run) == served(same)
    rows = [{name: each.client(name).vault.manifest().rows for name in each.clients} for each in (run, same)]
    assert rows[0] == rows[1]


def test_resuming_catches_up_before_anything_is_trained(
    tmp_path: Path, compared: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    run, old = compared(tmp_path / "run"), compared(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right = served(run)
    whole_clients(old.folder, run.folder)
    shutil.copytree(old.folder / "baselines", run.folder / "baselines", dirs_exist_ok=True)
    simulate(resume=run.folder)
    assert "as if an old copy had been put back" in capsys.readouterr().err
    assert served(run) == right
    assert {user for each in (run, *run.baselines) for user in each.clients_of()} == set(old.clients_of()) - {"u07"}
    before = {each.name: json.loads((each.folder / "result.json").read_text()) for each in old.baselines}
    for baseline in run.baselines:
        assert baseline.result["adapter_hash"] != before[baseline.name]["adapter_hash"]


def test_what_is_withdrawn_stays_so_whatever_is_put_back(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    (id_,) = asked(run, *of("u07"))
    broken = execution(run)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    broken.executor.retrain = killed  # type: ignore[assignment,method-assign]
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    broken.workflow.decide(id_, Decision("held", "a legal duty"), broken.signer)
    shard = int(run.shard_of(["u07"])[0])
    for put_back in (models, whole_clients):
        put_back(old.folder, run.folder)
        execution(run).run()
        for name in run.clients:
            assert sorted(run.client(name).ensemble.hashes()) == [1 - shard]
    assert "u07" not in run.clients_of()


def forget(run: SimulatedRun, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--run", str(run.folder)])


def test_judged_rows_put_back_are_noticed_and_so_is_a_ledger_that_is_gone(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right = served(run)
    (home,) = old.clients_of()["u07"]
    for name in ("judged.safetensors", "scores.npz"):
        shutil.copy(old.client(home).folder / name, run.client(home).folder / name)
    ensemble = run.client(home).ensemble
    assert "u07" in {*judged_users(ensemble.judged_path), *ensemble.scores.read().users}
    other = next(user for user, homes in run.clients_of().items() if homes == (home,))
    with pytest.raises(FedrecError, match="has the answers of other adapters than are served"):
        run.recommend(other, 3)  # a trained shard must not be weighed by what the one before it answered
    said: list[str] = []
    execution(run, said).run()
    assert len(run.recommend(other, 3)[1]) == 3
    assert [line for line in said if f"client {home} would" in line and "judged by erased rows" in line]
    assert "u07" not in judged_users(run.client(home).ensemble.judged_path) and served(run) == right
    for path in (run.folder / "erasure").glob("ledger.db*"):
        path.unlink()
    with pytest.raises(FedrecError, match=r"ledger\.db: not there, and certificates are; restore it"):
        check_current(run)


@pytest.mark.parametrize("rows_too", [False, True])
def test_tombstones_that_are_gone_are_sent_again(tmp_path: Path, finished: Copy, rows_too: bool) -> None:
    run = finished(tmp_path / "run")
    rows = {name: run.rows_of(name) for name in run.clients}
    asked(run, *of("u07"))
    assert forget(run, "run").exit_code == 0
    (home,) = finished(tmp_path / "old").clients_of()["u07"]
    right, data = served(run), run.homes[home].vault.manifest().digest
    with closing(sqlite3.connect(run.homes[home].vault.path)) as db:
        db.executescript("DELETE FROM tombstones")
        if rows_too:  # and, by hand, what no import would let in
            db.executescript("CREATE TABLE kept AS SELECT * FROM erasures; DELETE FROM erasures")
            run.homes[home].write_interactions(rows[home], run.catalogue)
            db.executescript("INSERT INTO erasures SELECT * FROM kept; DROP TABLE kept")
            assert "u07" in run.clients_of()
    with pytest.raises(FedrecError, match=r"were removed or altered.*`fedrec forget run --run RUN` sets them again"):
        run.homes[home].write_interactions(rows[home], run.catalogue)
    with pytest.raises(FedrecError, match=f"client {home} lacks erasures that it had done, or their tombstones"):
        check_current(run)
    told = forget(run, "audit")
    assert told.exit_code == 1 and f"{home}/vault.db: lacks erasures" in told.output.replace("\n", "")
    assert forget(run, "run").exit_code == 0
    run.homes[home].write_interactions(rows[home], run.catalogue)
    assert "u07" not in run.clients_of() and forget(run, "audit").exit_code == 0
    assert (served(run), run.homes[home].vault.manifest().digest) == (right, data)


def test_an_erasure_by_hand_takes_no_id_of_a_request(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    home = run.homes[run.clients_of()["u07"][0]].folder
    told = CliRunner().invoke(vault_commands, ["erase", str(home), "--user", "u09", "--request", id_, "--rows-only"])
    assert told.exit_code == 0, told.output
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"]
    assert "u07" not in run.clients_of()
