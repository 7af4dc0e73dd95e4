"""Nothing answers from an old copy that is put back: not by hand, not by a command, not a baseline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fedrec.errors import FedrecError
from server.commands.export import export
from server.commands.recommend import recommend as recommend_command
from server.commands.simulate import simulate
from server.simulated_run import open_run
from tests.server.integrity.test_replay import forget, one_client
from tests.server.test_federated_executor import Copy, asked, execution, of


def test_a_baseline_that_is_put_back_answers_nobody_and_is_trained_anew(tmp_path: Path, compared: Copy) -> None:
    run, old = compared(tmp_path / "run"), compared(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    shutil.copytree(old.folder / "baselines", run.folder / "baselines", dirs_exist_ok=True)
    for baseline in run.baselines:
        with pytest.raises(FedrecError, match=r"would serve what was withdrawn|serves no model yet"):
            baseline.recommend("u11", 3)
    simulate(resume=run.folder)
    for baseline, before in zip(run.baselines, old.baselines, strict=True):
        assert baseline.recommend("u11", 3)[1]
        mine, theirs = (each.client(each.clients[0]).ensemble.hashes() for each in (baseline, before))
        assert mine != theirs


def test_a_vault_of_another_key_is_refused_in_one_line_and_serves_nothing(tmp_path: Path, finished: Copy) -> None:
    run, other = finished(tmp_path / "run"), finished(tmp_path / "other")
    asked(run, *of("u07"))
    execution(run).run()
    name = run.clients[0]
    rows = other.rows_of(name)
    shutil.rmtree(run.folder / "clients" / name)
    run.make_home(name).write_interactions(rows, run.catalogue)
    with pytest.raises(FedrecError, match="erased from another vault than this one; put that vault and its key back"):
        execution(run).run()
    assert run.client(name).ensemble.hashes() == {}


def test_nothing_is_recommended_or_exported_from_an_old_copy(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    one_client(old.folder, run.folder)
    (home,) = old.clients_of()["u07"]
    for call in (
        lambda: recommend_command(user="u07", run=run.folder),
        lambda: export(client=home, to=tmp_path / "out", run=run.folder, shard=0),
    ):
        with pytest.raises(FedrecError, match=f"client {home} lacks erasures that it had done"):
            call()
    assert not (tmp_path / "out").exists()


def test_from_the_command_line(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    (id_,) = asked(run, *of("u07"))
    assert forget(run, "run").exit_code == 0
    (next_,) = asked(run, *of("u11"))
    one_client(old.folder, run.folder)
    planned = forget(run, "plan", next_)
    assert planned.exit_code == 0 and "12 rows erased again, and served anew" in planned.output
    assert "u07" not in run.clients_of() and "u11" in run.clients_of()  # a plan changes nothing else
    assert forget(run, "run").exit_code == 0
    assert {"u07", "u11"}.isdisjoint(open_run(run.folder).clients_of())
    events = [json.loads(line)["event"] for line in (run.folder / "erasure" / "audit.jsonl").read_text().splitlines()]
    assert events.count("repeated") == 1 and id_
