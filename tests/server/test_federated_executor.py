"""Erasure in a federation: what comes back equals a federation that never had the rows, and nothing is left of them."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from clients.app import app as client_app
from clients.client import Client
from fedrec.config import load
from fedrec.data.selection import Selection
from fedrec.ensemble.validation import judged_users
from fedrec.errors import FedrecError, UsageError
from fedrec.vault.tombstones import tombstones_of
from server.commands.forget import app
from server.federated_executor import FederatedExecutor
from server.launch import simulate
from server.prepare import prepare
from server.simulated_run import SimulatedRun
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from unlearning.certificates.verify import verify_certificate
from unlearning.workflow.execution import Execution
from unlearning.workflow.workflow import Workflow

Copy = Callable[[Path], SimulatedRun]
Served = dict[str, list[str]]
_KEPT = TemporaryDirectory()
_TRAINED: dict[str, Path] = {}


def trained(folder: Path, settings: dict[str, Any]) -> SimulatedRun:
    """A copy of a finished run, which is trained once a process."""
    key = repr((folder.name, sorted(settings.items())))  # a run's result has its name
    if key not in _TRAINED:
        _TRAINED[key] = trained_now(Path(_KEPT.name) / str(len(_TRAINED)) / folder.name, settings).folder
    return SimulatedRun(Path(shutil.copytree(_TRAINED[key], folder)))


def trained_now(folder: Path, settings: dict[str, Any]) -> SimulatedRun:
    run = prepare(load(overrides=settings), folder)
    simulate(run)
    return run


def without(ratings: Path, folder: Path, users: set[str] = frozenset(), items: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    """The ratings of a data set that never had those users, or rows of those items."""
    rows = list(csv.DictReader(ratings.open()))
    kept = [row for row in rows if row["user"] not in users and row["item"] not in items]
    path = folder / "without.csv"
    with path.open("w") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(kept)
    return str(path)


def execution(run: SimulatedRun, said: list[str] | None = None) -> Execution:
    workflow = Workflow(run)
    operator, _ = workflow.ensure_one()
    erasure = FederatedExecutor(run, LocalGrid(client_app, run.nodes()), workflow.ledger)
    return Execution(workflow, erasure, operator, (said if said is not None else []).append)


def asked(run: SimulatedRun, *selections: Selection, client: str | None = None) -> list[str]:
    """Requests handed in and approved."""
    workflow = Workflow(run)
    operator, _ = workflow.ensure_one()
    found = []
    for selection in selections:
        request = workflow.submit(selection, client=client, channel="test", ground="17(1)(b)", requester=operator)
        workflow.approve(request.id, operator, "known-account")
        found.append(request.id)
    return found


def forget(run: SimulatedRun, *words: str) -> None:
    """A command of `fedrec forget`, as it is typed."""
    result = CliRunner().invoke(app, [*words, "--run", str(run.folder)])
    if result.exception:
        raise result.exception


def verified(workflow: Workflow, id_: str) -> bool:
    """Whether a request's certificate and evidence hold, signed by one of the run's operators."""
    path, trusted = workflow.certificates / f"{id_}.json", workflow.operators.publics()
    return verify_certificate(path, bundle=workflow.bundle(id_), trusted=trusted).ok


def served(run: SimulatedRun, but: str = "") -> Served:
    """The hash of every shard's adapter, by client."""
    found: Served = {}
    for name in run.clients:
        if name != but:
            found[name] = list(run.client(name).ensemble.hashes().values())
            assert len(found[name]) == run.config.shards
    return found


_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


def naming(run: SimulatedRun, user: str) -> list[Path]:
    """The files of a run in which a user's name stands, as text or as NumPy keeps it."""
    return holding(run, user.encode(), user.encode("utf-32-le"))


def holding(run: SimulatedRun, *traces: bytes) -> list[Path]:
    """The files of a run in which one of the traces stands, and not by chance in the base64 of a key."""
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    return [path for path in files if any(trace in _BASE64.sub(b"", path.read_bytes()) for trace in traces)]


def of(*users: str) -> list[Selection]:
    return [Selection(users=(user,)) for user in users]


FIVE = ("u01", "u05", "u07", "u12", "u20")


@pytest.mark.parametrize(
    ("strategy", "shards", "users"),
    [("fedavg", 1, FIVE), ("fedavg", 4, FIVE), ("pplr", 1, ("u07",)), ("pplr", 4, FIVE), ("pplr", 8, FIVE)],
)
def test_the_restored_federation_never_had_them(
    tmp_path: Path, small: Settings, ratings: Path, strategy: str, shards: int, users: tuple[str, ...]
) -> None:
    settings = small(shards=shards, strategy=strategy, train__epochs=1)
    run = trained(tmp_path / "run", settings)
    asked(run, *of(*users))
    outcomes = execution(run).run()
    assert [outcome["state"] for outcome in outcomes] == ["closed"] * len(users)
    never = trained(tmp_path / "never", {**settings, "data.path": without(ratings, tmp_path, set(users))})
    assert served(run) == served(never)
    mine, theirs = (r.rounds.models(2) for r in (run, never))
    for name in run.clients:
        for one, other in zip(mine[name], theirs[name], strict=True):
            assert all((one[key] == other[key]).all() for key in one)
        ours, others = (r.rows_of(name) for r in (run, never))
        assert all((getattr(ours, c) == getattr(others, c)).all() for c in ("user", "item", "label", "time", "split"))


@pytest.mark.parametrize("shards", [1, 4])
def test_a_user_of_two_clients_is_gone_from_both(tmp_path: Path, small: Settings, ratings: Path, shards: int) -> None:
    settings = small(shards=shards, train__epochs=1)
    run = prepare(load(overrides=settings), tmp_path / "run")
    (home,) = run.clients_of()["u07"]
    other, third = (name for name in run.clients if name != home)
    rows = run.rows_of(home)
    mine = np.flatnonzero(rows.user == rows.user_ids.index("u07"))
    run.homes[other].write_interactions(rows.take(mine[::2]), run.catalogue)
    assert set(run.clients_of()["u07"]) == {home, other}
    simulate(run)
    before = served(run)
    with pytest.raises(UsageError, match=r"client client-\d has nothing of it"):
        forget(run, "submit", "--user", "u07", "--client", third)
    forget(run, "submit", "--user", "u07")
    forget(run, "approve")
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed"
    assert Workflow(run).ledger.get(outcome["id"]).plan["clients"] == sorted((home, other))  # type: ignore[index]
    assert "u07" not in run.clients_of()
    never = trained(tmp_path / "never", {**settings, "data.path": without(ratings, tmp_path, {"u07"})})
    assert served(run) == served(never) != before


def test_eight_shards_touch_one(tmp_path: Path, small: Settings) -> None:
    run = trained(tmp_path / "run", small(shards=8, train__epochs=1))
    before = served(run)
    asked(run, *of("u07"))
    (outcome,) = execution(run).run()
    assert len(outcome["shards"]) == 1
    after = served(run)
    for name in before:
        changed = [s for s in range(8) if before[name][s] != after[name][s]]
        assert set(changed) <= set(outcome["shards"])


def test_an_item_goes_from_every_client(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    asked(run, Selection(items=("i4",)))
    assert execution(run).run()[0]["state"] == "closed"
    left = {row for name in run.clients for row in run.rows_of(name).item.tolist()}
    assert run.catalogue.ids.index("i4") not in left


@pytest.mark.parametrize("shards", [1, 4])
def test_a_whole_client_leaves(tmp_path: Path, small: Settings, shards: int) -> None:
    settings = small(shards=shards, train__epochs=1)
    run = trained(tmp_path / "run", settings)
    users = {user for user, _ in run.client("client-1").vault.users()}
    asked(run, Selection(everything=True), client="client-1")
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed"
    assert run.client("client-1").vault.users() == []
    kept = [name for name in run.clients if name != "client-1"]
    # The others are as if the client had never had a row.
    empty = prepare(load(overrides=settings), tmp_path / "never")
    empty.client("client-1").vault.erase(Selection(users=tuple(users)), "before")
    simulate(empty)
    assert {name: served(run)[name] for name in kept} == {name: served(empty)[name] for name in kept}


def test_withdrawn_at_once_and_never_served_again(tmp_path: Path, small: Settings) -> None:
    run = trained(tmp_path / "run", small(shards=4, train__epochs=1))
    means = execution(run).executor
    selection = Selection(users=("u07",))
    located = means.locate(selection)
    gone = {run.client(name).ensemble.named()[shard] for name in run.clients for shard in located.shards}
    means.withdraw(selection, None, located.shards)
    for name in run.clients:
        ensemble = run.client(name).ensemble
        assert set(range(4)) - set(ensemble.hashes()) == set(located.shards)
        assert "u07" not in judged_users(ensemble.judged_path)
    assert run.recommend("u08", 3)[1]  # answers go on from the rest
    asked(run, selection)
    execution(run).run()
    assert gone.isdisjoint({digest for hashes in served(run).values() for digest in hashes})


def test_with_one_shard_the_base_model_answers_meanwhile(tmp_path: Path, small: Settings) -> None:
    run = trained(tmp_path / "run", small(train__epochs=1))
    means = execution(run).executor
    means.withdraw(Selection(users=("u07",)), None, (0,))
    assert run.recommend("u08", 3)[1]


def test_nothing_of_the_person_is_left(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    name = next(name for name in run.clients if "u07" in dict(run.client(name).vault.users()))
    assert {"vault.db", "scores.npz", "judged.safetensors"} <= {path.name for path in naming(run, "u07")}
    broken = run.client(run.clients[0]).folder / ".tmpBroken"
    broken.write_bytes(b"u07")  # as safetensors leaves a file when it is killed while it writes
    (id_,) = asked(run, *of("u07"))
    execution(run).run()
    assert naming(run, "u07") == []
    assert not list((run.client(name).folder / "held").glob("*"))
    with pytest.raises(FedrecError, match="key"):
        Workflow(run).ledger.selection(id_)


def test_not_even_an_hmac_is_left_once_the_key_is_destroyed(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    client = Client(run.client(run.clients_of()["u07"][0]))
    vault, rows = client.store.vault, client.interactions
    mine = rows.user == rows.user_ids.index("u07")
    (first, *_) = client.encoder.windows(rows, mine)
    titles = [run.catalogue.titles[item] for item in rows.item[mine]]
    sequence = [first.ids[:24].astype(kind).tobytes() for kind in (np.int16, np.int32, np.int64)]
    sequence += [mark.join(titles[:3]).encode() for mark in ("\n", ", ", " ", "|")]
    key = vault.key_path.read_bytes()
    (stone,) = tombstones_of(Selection(users=("u07",)), key)
    asked(run, *of("u07"))
    execution(run).run()
    assert holding(run, stone.digest) == [vault.path]
    assert holding(run, key) == [vault.key_path]
    vault.destroy_key()
    assert holding(run, stone.digest, stone.digest.hex().encode(), key, key.hex().encode(), *sequence) == []


def test_what_was_erased_does_not_come_back(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    before = {name: run.rows_of(name) for name in run.clients}
    asked(run, *of("u07"))
    execution(run).run()
    for name, rows in before.items():  # a stale replica is imported again
        run.homes[name].write_interactions(rows, run.catalogue)
    assert "u07" not in run.clients_of()
    assert sum(stone.refused for name in run.clients for stone in run.client(name).vault.tombstones()) == 12


def test_a_run_that_is_not_finished_cannot_forget(tmp_path: Path, small: Settings) -> None:
    run = prepare(load(overrides=small()), tmp_path / "run")
    with pytest.raises(FedrecError, match="is not finished"):
        execution(run)
