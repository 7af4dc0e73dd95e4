"""`fedrec forget` over a deployed federation whose clients are in this process: the same as in a simulation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.deployment.withdrawing import withdraw
from clients.home import open_home
from fedrec.errors import FedrecError, UsageError
from fedrec.files import write_json
from server.deployment import relay
from server.deployment.deployed_run import DeployedRun
from server.deployment.forgetting import DeployedHost
from server.deployment.submission import Submission
from server.deployment.withheld import withheld_of
from server.run import Run
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.deployment.conftest import Federation, Simulated, federation_in
from tests.server.test_federated_executor import forget
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.verify import read_signed
from unlearning.executor import Away
from unlearning.workflow.workflow import Workflow

PERSON = "u07"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, simulated: Simulated, small: Settings) -> Federation:
    """With a finished run, `one`."""
    made = federation_in(tmp_path_factory.mktemp("trained"), simulated, small)
    made.carry_out({"out": "one", "settings": json.dumps(made.tree), "resume": False})
    return made


@pytest.fixture
def federation(trained: Federation, tmp_path: Path) -> Federation:
    shutil.copytree(trained.homes.parent, tmp_path, dirs_exist_ok=True)
    copied = replace(trained, homes=tmp_path / "homes", toml=tmp_path / "keys" / "server" / "server.toml", heard=[])
    write_json(copied.state / "runs" / "one" / "server.json", {"settings": str(copied.toml)})
    return copied


@pytest.fixture
def deployed(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> DeployedRun:
    """The finished run; what is submitted is carried out in a thread of this process."""

    class Here(Submission):
        def result(self, say: Callable[[str], None]) -> dict[str, Any]:
            federation.carry_out(self._told)
            return {}

    monkeypatch.setattr(relay, "Submission", Here)
    return DeployedRun(federation.state / "runs" / "one")


def certificates(run: Run) -> list[Certificate]:
    found = map(read_signed, (run.folder / "erasure" / "certificates").glob("*.json"))
    return [signed.certificate for signed in found if signed]


def served(homes: Path, run: DeployedRun) -> dict[str, list[str | None]]:
    """The hash of each shard's adapter, by client."""
    found = {}
    for name in run.clients:
        manifest = homes / name / "runs" / run.id / "manifest.json"
        found[name] = [entry and entry["sha256"] for entry in json.loads(manifest.read_text())["shards"]]
    return found


def test_an_erasure_gives_what_it_gives_in_a_simulation(
    federation: Federation, deployed: DeployedRun, simulated: Simulated, tmp_path: Path
) -> None:
    there = SimulatedRun(Path(shutil.copytree(simulated.run.folder, tmp_path / "there")))
    for run in (deployed, there):
        forget(run, "submit", "--user", PERSON)
        forget(run, "approve")
        forget(run, "run")
        forget(run, "audit")
    (ours,), (theirs,) = certificates(deployed), certificates(there)
    assert [each.model_dump() for each in ours.adapters] == [each.model_dump() for each in theirs.adapters]
    assert ours.claim == theirs.claim
    assert served(federation.homes, deployed) == {name: [*there.served()[name].values()] for name in there.clients}
    assert not any(PERSON in open_home(federation.homes / name).users() for name in deployed.clients)
    assert deployed.reference.clients == there.reference.clients, "counts of now"
    assert deployed.result["adapter_hash"] == there.result["adapter_hash"]
    assert not [*(federation.state / "relays").iterdir()], "nothing is left of the relay"


def test_who_is_away_is_waited_for_and_serves_nothing_of_it_before_it_obeys(
    federation: Federation, deployed: DeployedRun, simulated: Simulated
) -> None:
    """The others serve the shard no more at once, nothing is certified, and whose it is hears the holder alone."""
    (holder,), shard = simulated.run.clients_of()[PERSON], int(deployed.shard_of([PERSON])[0])
    federation.toml.write_text(federation.toml.read_text().replace("patience = 60", "patience = 0"))
    away = next(name for name in deployed.clients if name != holder)
    before = served(federation.homes, deployed)
    forget(deployed, "submit", "--user", PERSON)
    forget(deployed, "approve")
    federation.away.add(away)
    with pytest.raises(Away, match=f"clients {away} are not connected"):
        forget(deployed, "plan", Workflow(deployed).ledger.list()[0].id)
    with pytest.raises(Away, match=f"clients {away} are not connected, so nothing is erased"):
        forget(deployed, "run")
    now = served(federation.homes, deployed)
    assert {name for name, hashes in now.items() if hashes[shard]} == {away}
    assert all(now[name][1 - shard] == before[name][1 - shard] for name in now)
    assert withheld_of(federation.state, deployed.id) == (shard,), "told to whoever asks"
    withdraw(federation.homes / away, deployed.id, withheld_of(federation.state, deployed.id) or ())
    assert served(federation.homes, deployed)[away][shard] is None
    assert not certificates(deployed)

    federation.away.clear()
    forget(deployed, "run")
    (certificate,) = certificates(deployed)
    assert [each.client for each in certificate.answered] == [holder]
    assert certificate.answered[0].at < certificate.issued_at
    assert {each.client: each.before for each in certificate.adapters} == {name: before[name][shard] for name in before}
    assert withheld_of(federation.state, deployed.id) == ()
    assert all(all(hashes) for hashes in served(federation.homes, deployed).values())
    assert {name for name, told in federation.heard if PERSON.encode() in told} == {holder}
    forget(deployed, "audit")


def test_a_serverapp_that_fails_is_told(deployed: DeployedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FedrecError("no such SuperLink")

    monkeypatch.setattr(relay.Submission, "result", fail)
    with pytest.raises(FedrecError, match="no such SuperLink"):
        forget(deployed, "run")


def test_a_run_is_found_by_the_folder_of_who_submitted_it(federation: Federation, deployed: DeployedRun) -> None:
    submitted = federation.homes.parent / "first"
    write_json(submitted / "deployed.json", {"on": str(federation.toml), "name": "one"})
    assert DeployedHost.at(submitted).model.folder == deployed.folder
    write_json(submitted / "deployed.json", {"on": "elsewhere", "name": "one"})
    with pytest.raises(UsageError, match="do it there"):
        DeployedHost.at(submitted)
