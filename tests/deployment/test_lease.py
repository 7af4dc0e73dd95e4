"""A client answers from what its server has confirmed, and from nothing that it has withdrawn."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from clients import lease
from clients.client_run import ClientRun
from clients.deployment import confirmation, withdrawing
from clients.home import open_home
from clients.serving import check_serving, newest_run
from fedrec.deployment.keys import make_keys
from fedrec.deployment.settings import ClientSettings, ServerSettings, read_settings
from fedrec.errors import FedrecError, UsageError
from server.deployment.gate import gate
from server.deployment.withheld import withhold
from server.run import Run
from tests.cli import here
from tests.deployment.conftest import Simulated


@pytest.fixture
def served(simulated: Simulated, tmp_path: Path) -> ClientRun:
    """What a client serves, of two shards."""
    home = Path(shutil.copytree(simulated.run.homes_folder / "client-0", tmp_path / "home"))
    return ClientRun(open_home(home), simulated.run.id)


@pytest.fixture
def settings(tmp_path: Path) -> ClientSettings:
    make_keys(tmp_path / "keys", ["client-0"], ["localhost"], 9443)
    return read_settings(tmp_path / "keys" / "clients" / "client-0" / "deploy.toml", ClientSettings)


def test_what_is_not_confirmed_for_longer_than_the_lease_is_not_answered_from(served: ClientRun) -> None:
    assert len(served.ensemble.adapters()) == 2, "without a lease"
    lease.renew(served.folder, 60.0)
    assert len(served.ensemble.adapters()) == 2
    for since in (time.time() - 61, time.time() + 3600):
        (served.folder / "lease.json").write_text(json.dumps({"since": since, "seconds": 60.0}))
        with pytest.raises(FedrecError, match="client client-0: its server has not confirmed"):
            served.ensemble.adapters()
    with pytest.raises(FedrecError, match=r"not confirmed .* and the lease is"):
        check_serving(served)
    assert len(served.ensemble.hashes()) == 2, "what it serves can be asked for, or nothing could be erased there"


def test_it_asks_obeys_and_only_then_goes_on(
    served: ClientRun, settings: ClientSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    asking = confirmation.Confirmation(settings, served.home.folder, said.append)
    answer = httpx.Response(503)
    transport = httpx.MockTransport(lambda request: answer if served.id in request.url.path else httpx.Response(404))
    asking._server = httpx.Client(transport=transport, base_url="https://localhost:9443")

    def renew() -> bool:
        (served.folder / "lease.json").unlink(missing_ok=True)
        asking._due = 0.0
        asking.renew()
        return (served.folder / "lease.json").exists()

    assert not renew(), "nobody answers"
    answer = httpx.Response(200, json={"withheld": []})
    assert renew()
    answer = httpx.Response(200, json={"withheld": [1]})
    monkeypatch.setattr(confirmation, "_withdraw", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert not renew()
    assert said == [f"run {served.id}: shards 1 are withdrawn, and here they are not: disk full"]
    monkeypatch.setattr(confirmation, "_withdraw", withdrawing.withdraw)
    assert renew()
    assert [*served.ensemble.adapters()] == [0]


def test_the_gate_tells_what_is_withheld_to_who_knows_the_run(simulated: Simulated, tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", ["client-0"], ["localhost"], 9443)
    settings = read_settings(tmp_path / "keys" / "server" / "server.toml", ServerSettings)
    run = Run(Path(shutil.copytree(simulated.run.folder, settings.state / "runs" / "one")))
    (settings.state / "runs" / "broken").mkdir()
    (settings.state / "runs" / "broken" / "run.json").write_text("{")
    client = TestClient(gate(settings))
    assert client.get(f"/v1/runs/{run.id}").json() == {"withheld": []}
    withhold(run, {1})
    assert client.get(f"/v1/runs/{run.id}").json() == {"withheld": [1]}
    assert client.get("/v1/runs/another").status_code == 404


def test_a_home_recommends_and_exports_by_itself(served: ClientRun, tmp_path: Path) -> None:
    home, person = served.home.folder, served.home.users()[0]
    said = json.loads(here("client", "recommend", home, "--user", person, "--top", 2, "--json", "-"))
    assert (said["run"], said["client"], len(said["items"])) == (served.id, "client-0", 2)
    here("client", "export", home, "--to", tmp_path / "out", "--shard", 1)
    assert (tmp_path / "out" / "adapter_config.json").exists()
    with pytest.raises(UsageError, match=f"--run another: .* serves {served.id}"):
        newest_run(home, "another")
