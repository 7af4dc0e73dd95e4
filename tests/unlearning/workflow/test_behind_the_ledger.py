"""Rows that go from a vault behind the ledger's back: the next request takes what learned from them out."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clients.lineage import changed_shards, teaches
from fedrec.data.dataset import TEST, TRAIN
from fedrec.data.selection import Selection
from fedrec.errors import UsageError
from server.commands.forget import app
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy, asked, execution, forget, of, served, verified
from unlearning.workflow.workflow import Workflow


def remove(run: SimulatedRun, client: str, seed: int, count: int) -> set[int]:
    """Delete some rows of a client's vault with a tool of SQLite; the shards that had learned from them."""
    rows = run.rows_of(client)
    gone = np.zeros(len(rows), bool)
    gone[np.random.default_rng(seed).choice(len(rows), count, replace=False)] = True
    with sqlite3.connect(run.client(client).vault.path) as database:
        for at in np.flatnonzero(gone):
            user, item = rows.user_ids[rows.user[at]], run.catalogue.ids[rows.item[at]]
            database.execute(
                "DELETE FROM rows WHERE user = (SELECT id FROM users WHERE name = ?) AND item = ? AND time = ?",
                (user, item, int(rows.time[at])),
            )
    shards = run.shard_of(rows.user_ids)[rows.user[gone & teaches(rows, run.config.train)]]
    return set(shards.tolist())


@pytest.mark.parametrize(("seed", "count"), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 30)])
def test_the_shards_that_learned_from_what_went_are_touched_and_no_others(
    tmp_path: Path, finished: Copy, seed: int, count: int
) -> None:
    run = finished(tmp_path / "run")
    means = execution(run).executor
    before = {user: set(means.locate(Selection(users=(user,))).shards) for user in ("u07", "nobody")}
    client = run.clients[seed % len(run.clients)]
    learned = remove(run, client, seed, count)
    for user, shards in before.items():
        located = means.locate(Selection(users=(user,)))
        assert set(located.shards) - learned == shards - learned and learned <= set(located.shards)
        assert {name: set(found) for name, found in located.changed.items()} == ({client: learned} if learned else {})


@pytest.mark.parametrize("whole", [True, False])
def test_whoever_went_behind_the_ledger_is_trained_out_and_certified_so(
    tmp_path: Path, finished: Copy, whole: bool
) -> None:
    run = finished(tmp_path / "run")
    (client,) = run.clients_of()["u07"]
    (shard,) = run.shard_of(["u07"]).tolist()
    other = (shard + 1) % run.config.shards
    before = served(run)
    vault = run.client(client).vault
    if whole:
        vault.erase(Selection(users=("u07",)), "rows-only")
    else:
        with sqlite3.connect(vault.path) as database:
            theirs = "user = (SELECT id FROM users WHERE name = 'u07')"
            database.execute(f"DELETE FROM rows WHERE split = {TRAIN} AND {theirs}")
        rows = run.rows_of(client)
        assert (rows.split[rows.user == rows.user_ids.index("u07")] == TEST).any()
    result = CliRunner().invoke(app, ["submit", "--user", "u07", "--json", "-", "--run", str(run.folder)])
    assert result.exit_code == 0, result.exception
    assert ("not in the data, but shard" in result.stderr) == whole
    id_ = json.loads(result.stdout)["id"]
    forget(run, "approve", id_)
    planned = CliRunner().invoke(app, ["plan", id_, "--run", str(run.folder)]).output
    why = f"shard {shard} of {client} learned from other rows than are in its vault now"
    assert why in planned.replace("\n", " ")
    assert ("erased again, and served anew" in planned) == whole  # rows of who is not there judge nobody
    (outcome,) = execution(run).run()
    assert (outcome["state"], outcome["claim"], outcome["shards"]) == ("closed", "retrained without", [shard])
    after = served(run)
    assert all(after[name][shard] != before[name][shard] for name in before)
    assert all(after[name][other] == before[name][other] for name in before)
    assert verified(Workflow(run), id_)
    assert run.changed_shards() == {}  # its use is current again
    with pytest.raises(UsageError, match="not in the data"):
        forget(run, "submit", "--user", "u07")


def test_a_request_that_was_carried_out_leaves_nothing_changed(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    assert run.changed_shards() == {}
    asked(run, *of("u07"))
    execution(run).run()
    assert run.changed_shards() == {}
    asked(run, *of("u11"))
    (outcome,) = execution(run).run()
    assert outcome["shards"] == run.shard_of(["u11"]).tolist()


def test_without_its_key_a_vault_counts_and_a_renamed_run_is_known(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "renamed")
    assert run.changed_shards() == {}
    client = run.clients[0]
    run.client(client).vault.destroy_key()
    assert run.changed_shards() == {}
    learned = remove(run, client, 1, 20)
    store = run.client(client)
    assert set(changed_shards(store, store.interactions())) == learned
