"""A client's home: made, filled by hand, read with its policy; and a federation over homes that were filled so."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import fedrec
from clients.client import Client
from clients.client_run import ClientRun
from clients.commands.client import app as client_app
from clients.commands.vault import app as vault_app
from clients.home import Home, Policy, Settings, create_home, homes_in, open_home
from fedrec.config import parse
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError
from fedrec.protocol.facts import digest
from server.launch import configured
from server.simulated_run import SimulatedRun, open_run
from tests.conftest import Settings as Small
from tests.server.test_federation import made


def command(app: Any, *words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_a_home_says_who_it_is_and_what_may_leave_it(tmp_path: Path) -> None:
    folder = tmp_path / "homes" / "ada"
    assert "client.toml" in command(client_app, "init", folder, "--name", "ada", "--device", "cpu")
    home = open_home(folder)
    assert (home.name, home.settings.device, home.base) == ("ada", "cpu", None)
    assert home.settings.policy == Policy() and home.settings.policy.scores == "histogram"
    assert (folder / "client.toml").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="is the home of ada already"):
        command(client_app, "init", folder, "--name", "ben")
    for name in ("", "../ada", "a/b", "."):
        with pytest.raises(UsageError, match="name"):
            command(client_app, "init", tmp_path / "other", "--name", name)
    assert [home.name for home in homes_in(tmp_path / "homes")] == ["ada"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("name = 1", r"client\.toml: name = 1"),
        ("name = 'ada'\n[policy]\nscores = 'all'", r"client\.toml: policy\.scores = \"all\""),
        ("name = 'ada'\n[policy]\nstrategies = ['pplx']", r"policy\.strategies\.0 = \"pplx\""),
        ("name = 'ada'\nnames = 'ada'", r"names is not a setting \(did you mean name\?\)"),
        ("name", r"client\.toml: "),
    ],
)
def test_a_mistake_in_it_is_one_line_that_names_the_value(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "client.toml").write_text(content)
    with pytest.raises(FedrecError, match=fault) as wrong:
        open_home(tmp_path)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("asked", "own", "used", "fault"),
    [
        ("cpu", None, "cpu", ""),
        ("cuda:7", "cpu", "cpu", ""),
        ("cpu", "auto", "cuda" if torch.cuda.is_available() else "cpu", ""),
        ("cuda:7", None, "", r"train\.device = cuda:7: this machine has no CUDA device"),
        ("cpu", "cuda:7", "", r"client\.toml: device = cuda:7: this machine has no CUDA device"),
        ("cpu", "gpu", "", r"client\.toml: device = \"gpu\": must match pattern"),
    ],
)
def test_a_client_trains_on_its_own_device(
    tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch, asked: str, own: str | None, used: str, fault: str
) -> None:
    run = made(tmp_path / "run", small())
    told = run.facts["configuration"]
    on = {**told, "train": {**told["train"], "device": asked}}
    facts = run.facts | {"configuration": parse(on).model_dump(mode="json")}
    settings = run.homes["client-0"].folder / "client.toml"
    if own is not None:
        settings.write_text(settings.read_text().replace("# device =", f'device = "{own}"'))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: used == "cuda")

    def trains() -> torch.device:
        store = ClientRun(open_home(settings.parent), run.id)
        store.keep(facts)
        client = Client(store)
        client.train(1, [run.initial], (0,))
        return next(client.base.model.parameters()).device

    if fault:
        with pytest.raises(FedrecError, match=fault):
            trains()
    else:
        assert trains().type == used


def test_a_run_is_no_path(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home", Settings(name="ada"))
    for run in ("", "..", "../other", "a/b", "/tmp"):
        with pytest.raises(FedrecError, match="is no run's id"):
            ClientRun(home, run)


def fill(homes: Path, ratings: Path, like_above: float, whose: dict[str, list[str]]) -> None:
    """Each client's own rows, in a file of its own, imported into its own home by hand."""
    rows = list(csv.DictReader(ratings.open()))
    for name, users in whose.items():
        own = homes.parent / f"{name}.csv"
        with own.open("w") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(row for row in rows if row["user"] in users)
        command(client_app, "init", homes / name, "--name", name)
        for _ in range(2):  # a second import changes nothing
            command(vault_app, "import", homes / name, "--data", own, "--like-above", like_above)


def simulated(folder: Path, homes: Path, settings: dict[str, Any], strategies: str) -> SimulatedRun:
    fedrec.simulate(homes=homes, strategy=strategies.split(","), settings=settings, out=folder, transport="in-process")
    return open_run(folder)


def test_homes_filled_by_hand_give_what_splitting_the_same_data_gives(
    tmp_path: Path, small: Small, ratings: Path
) -> None:
    """Also beside it: baselines over the same homes, the central one that pools them, and the trivial scorers."""
    settings, strategies = small(shards=2, federation__rounds=1), "pplr,ditto,central"
    fedrec.simulate(strategy=strategies.split(","), settings=settings, out=tmp_path / "split", transport="in-process")
    split = open_run(tmp_path / "split")
    fill(tmp_path / "homes", ratings, 3, {name: home.users() for name, home in split.homes.items()})
    plain = {key: value for key, value in settings.items() if not key.startswith(("data.", "clients."))}
    ours = simulated(tmp_path / "run", tmp_path / "homes", plain, strategies)
    one, other = ours.result, split.result
    assert one["adapter_hash"] == other["adapter_hash"]
    assert [each["adapter_hash"] for each in one["baselines"]] == [each["adapter_hash"] for each in other["baselines"]]
    for figure in ("trivial", "clients", "measured"):
        assert one[figure] == other[figure]
    assert one["overall"]["auc"] == pytest.approx(other["overall"]["auc"], abs=one["overall"]["auc_error"] + 1e-9)
    assert not (ours.folder / "clients").exists() and ours.catalogue == split.catalogue
    assert {path.name for path in (tmp_path / "homes" / "client-0" / "runs").iterdir()} == {
        ours.id, *(baseline.id for baseline in ours.baselines if baseline.name != "central")
    }  # fmt: skip


def test_a_home_takes_part_in_a_second_run_and_what_was_erased_stays_away(
    tmp_path: Path, small: Small, ratings: Path
) -> None:
    rows = {row["user"] for row in csv.DictReader(ratings.open())}
    homes = tmp_path / "homes"
    fill(homes, ratings, 3, {"ada": sorted(rows)[:12], "ben": sorted(rows)[12:]})
    plain = {key: value for key, value in small().items() if not key.startswith(("data.", "clients."))}
    first = simulated(tmp_path / "first", homes, plain, "pplr")
    gone = first.homes["ada"].users()[0]
    first.homes["ada"].vault.erase(Selection(users=(gone,)), "a request")
    told = json.loads(
        command(vault_app, "import", homes / "ada", "--data", tmp_path / "ada.csv", "--like-above", 3, "--json", "-")
    )
    assert told["added"] == 0 and told["refused"] == 12
    second = simulated(tmp_path / "second", homes, plain, "pplr")
    assert gone not in second.clients_of() and first.result["adapter_hash"] != second.result["adapter_hash"]
    assert {path.name for path in (homes / "ada" / "runs").iterdir()} == {first.id, second.id}
    assert first.changed_shards() == {"ada": (0,)} and second.changed_shards() == {}


def test_another_run_over_the_same_homes_trains_out_what_an_erasure_took(
    tmp_path: Path, small: Small, ratings: Path
) -> None:
    users = sorted({row["user"] for row in csv.DictReader(ratings.open())})
    homes = tmp_path / "homes"
    fill(homes, ratings, 3, {"ada": users[:12], "ben": users[12:]})
    plain = {key: value for key, value in small(shards=2).items() if not key.startswith(("data.", "clients."))}
    one, other = (
        fedrec.simulate(homes=homes, settings=plain, out=tmp_path / name, transport="in-process")
        for name in ("one", "other")
    )
    assert one.result["adapter_hash"] == other.result["adapter_hash"]
    assert one.forget(user="u07").state == "closed"
    shard = int(open_run(other.folder).shard_of(["u07"])[0])
    assert open_run(other.folder).changed_shards() == {"ada": (shard,)}
    assert other.forget(user="u07").state == "closed"
    assert open_run(one.folder).result["adapter_hash"] == open_run(other.folder).result["adapter_hash"]
    assert open_run(other.folder).changed_shards() == {}


def test_what_a_simulation_needs_is_said(tmp_path: Path, small: Small, ratings: Path) -> None:
    with pytest.raises(UsageError, match=r"leave out data\.path"):
        configured({"data.path": str(ratings)}, (), homes=tmp_path)
    with pytest.raises(UsageError, match="name it last, pplr,central"):
        configured({}, ("central",), homes=tmp_path)
    with pytest.raises(UsageError, match="no client's home is in it; `fedrec client init"):
        simulated(tmp_path / "run", tmp_path / "none", {}, "pplr")
    create_home(tmp_path / "homes" / "ada", Settings(name="ada"))
    with pytest.raises(FedrecError, match="no vault there; `fedrec vault import"):
        simulated(tmp_path / "run", tmp_path / "homes", {}, "pplr")


def test_a_client_keeps_the_facts_once_and_asks_for_those_that_changed(tmp_path: Path, small: Small) -> None:
    run = made(tmp_path / "run", small())
    client = ClientRun(run.homes["client-0"], run.id)
    assert client.lacks(run.fact_hashes) == ("configuration", "catalogue", "base")
    client.keep(run.facts)
    assert client.lacks(run.fact_hashes) == ()
    assert client.catalogue == run.catalogue and client.config.seed == run.config.seed
    assert client.lacks(run.fact_hashes | {"configuration": digest({})}) == ("configuration",)
    with pytest.raises(FedrecError, match="titles, base model and first adapter of a run never change"):
        client.lacks(run.fact_hashes | {"catalogue": digest({})})
    told = (client.folder / "configuration.json").read_text() + (client.folder / "base.json").read_text()
    assert str(tmp_path) not in told and str(run.config.base) not in told


def test_another_base_than_the_runs_is_refused_by_name(tmp_path: Path, small: Small, tiny_base: Path) -> None:
    import shutil

    run = made(tmp_path / "run", small())
    other = Path(shutil.copytree(tiny_base, tmp_path / "other"))
    (other / "tokenizer_config.json").write_text((other / "tokenizer_config.json").read_text() + " ")
    for base, fault in ((other, "is not the file that .* was made over"), (None, "name its folder as `base`")):
        home = create_home(tmp_path / f"home-{base is None}", Settings(name="ada", base=base and str(base)))
        client = ClientRun(home, run.id)
        client.keep(run.facts)
        with pytest.raises(FedrecError, match=fault):
            client.base.source  # noqa: B018


def test_what_pools_homes_allows_what_all_of_them_allow(tmp_path: Path) -> None:
    for name, strategies, scores in (("ada", ("pplr", "central"), "scores"), ("ben", ("central",), "metrics")):
        create_home(tmp_path / name, Settings(name=name, policy=Policy(strategies=strategies, scores=scores)))
    create_home(tmp_path / "central", Settings(name="central", pool=("../ada", "../ben")))
    assert open_home(tmp_path / "central").policy == Policy(strategies=("central",), scores="metrics")


def test_a_policy_keeps_a_client_out_of_a_strategy_by_name(tmp_path: Path, small: Small) -> None:
    run = made(tmp_path / "run", small(strategy="fedavg"))
    path = run.homes["client-1"].folder / "client.toml"
    path.write_text('name = "client-1"\n[policy]\nstrategies = ["pplr"]\n')
    client = ClientRun(Home(path.parent), run.id)
    client.keep(run.facts)
    with pytest.raises(FedrecError, match=r"client client-1 takes no part in fedavg: its client\.toml allows pplr"):
        Client(client).train(1, [], (0,))
