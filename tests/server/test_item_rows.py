"""Item tokens through everything: a federation, what it recommends and exports, and what is forgotten of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import AutoPeftModelForCausalLM
from typer.testing import CliRunner

from fedrec.data.prompts import Window
from fedrec.data.selection import Selection
from fedrec.ensemble.ranking import best_unseen
from fedrec.models.adapter import state_hash
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.item_tokens import item_tokens
from fedrec.protocol.adapters import ITEMS_A, ROWS
from fedrec.tasks import encoder_of
from server.commands.forget import app as forget_commands
from server.simulated_run import SimulatedRun
from tests.conftest import TITLES, Settings
from tests.server.test_federated_executor import asked, execution, of, served, trained, without
from tests.unlearning.models import Maker, adapters, same
from unlearning.compute.processes import LocalProcesses


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    return trained(tmp_path_factory.mktemp("items") / "run", small(shards=2, items__rank=4, aggregator="average-nd"))


def test_clients_serve_item_rows(run: SimulatedRun) -> None:
    assert not len(run.initial[ROWS])
    assert any("which titles their people met" in note for note in run.result["notes"])
    for client in map(run.client, run.clients):
        for state in client.ensemble.adapters().values():
            assert state[ITEMS_A].shape == (len(TITLES), 4)


def test_what_is_exported_answers_alike_in_plain_peft(run: SimulatedRun, tmp_path: Path) -> None:
    run.export("client-1", tmp_path / "mine", 0)
    client = run.client("client-1")
    base, tokens = client.base, item_tokens(client.base.model)
    ids = torch.tensor([[5, 6, tokens.first, 7, 8, tokens.first + 9, 9]])
    theirs = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "mine").eval()
    with AdapterBank(base.model, client.config.lora) as bank, torch.no_grad():
        bank.load(0, client.ensemble.adapters()[0])
        with bank.use(Routed(0)):
            ours = base.model(ids).logits[..., : tokens.first]
        torch.testing.assert_close(theirs(ids).logits[..., : tokens.first], ours, rtol=1e-4, atol=1e-4)
        assert (ours - base.model(ids).logits[..., : tokens.first]).abs().max() > 1e-2


def test_a_federation_forgets_as_if_it_had_never_had_them(
    run: SimulatedRun, tmp_path: Path, small: Settings, ratings: Path
) -> None:
    copy = SimulatedRun(Path(shutil.copytree(run.folder, tmp_path / "forgot")))
    before = served(copy)
    asked(copy, *of("u07"))
    execution(copy).run()
    never = small(shards=2, items__rank=4, aggregator="average-nd", data__path=without(ratings, tmp_path, {"u07"}))
    assert served(copy) == served(trained(tmp_path / "never", never)) != before


def test_a_central_model_forgets_as_if_it_had_never_had_them(tmp_path: Path, small: Settings) -> None:
    maker = Maker(tmp_path, small(items__rank=4))
    model, gone = maker.trained("hash+apa-nd", slices=2), Selection(users=("u07",))
    knew = adapters(model)
    model.forget(gone)
    assert adapters(model) != knew
    same(model, maker.trained("hash+apa-nd", slices=2, gone=gone))
    same(model, maker.trained("hash+apa-nd", LocalProcesses(2, 3), slices=2, gone=gone))


def test_recommending_is_scoring_each_title_by_itself(run: SimulatedRun) -> None:
    """The kept history and the candidates carry the items' tokens, and the rows of all shards."""
    client = run.client("client-0")
    encoder = encoder_of(client.config, client.catalogue, client.base)
    rows, answers = client.interactions(), client.ensemble.answers(client.config, client.base, encoder)
    best = best_unseen(answers, encoder, client.catalogue, rows, rows.user_ids[0], 8)
    mine = rows.user == 0
    past = encoder.past_of(rows.item[mine].tolist(), rows.label[mine].tolist())
    for each in best:
        ids = np.array(past + encoder.question(client.catalogue.place[each.item]))
        assert ids[-1] == item_tokens(client.base.model).first + client.catalogue.place[each.item]
        window = Window(ids, np.array([len(ids) - 1]), np.array([0]))
        assert answers.scores([window], 1)[0] == pytest.approx(each.score, abs=1e-5)
    answers.close()


@pytest.mark.parametrize("strategy", ["pplr", "ditto", "central"])
def test_item_rows_that_are_not_shared_never_leave_a_client(strategy: str, tmp_path: Path, small: Settings) -> None:
    settings = small(strategy=strategy, items__rank=4, items__share="none", aggregator="average-nd")
    run = trained(tmp_path / "run", settings)
    assert ITEMS_A not in run.initial
    assert not any("which titles" in note for note in run.result["notes"])
    models = run.rounds.models(2)
    assert all(ITEMS_A not in state for model in models.values() for state in model)
    served = {name: run.client(name).ensemble.adapters()[0] for name in run.clients}
    assert all(len(state[ITEMS_A]) == len(TITLES) for state in served.values())
    if len(served) > 1:
        one, other, *_ = served.values()
        assert not torch.equal(one[ITEMS_A], other[ITEMS_A])
    again = trained(tmp_path / "again", settings)
    for name, state in served.items():
        assert state_hash(again.client(name).ensemble.adapters()[0]) == state_hash(state)


def test_rows_that_stay_at_clients_forget_as_if_they_had_never_had_them(
    tmp_path: Path, small: Settings, ratings: Path
) -> None:
    settings = small(shards=2, items__rank=4, items__share="none", train__epochs=1)
    run = trained(tmp_path / "run", settings)
    knew, files = served(run), own(run)
    asked(run, *of("u07"))
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"]
    never = trained(tmp_path / "never", settings | {"data.path": without(ratings, tmp_path, {"u07"})})
    shard = run.shard_of(["u07"])[0]
    for name in run.clients:  # with every item row in them
        assert served(run)[name] == served(never)[name]
        assert [old == new for old, new in zip(knew[name], served(run)[name], strict=True)] == [shard != 0, shard != 1]
    assert own(run) == own(never) != files
    for command in ("run", "audit"):  # the first writes the page
        told = CliRunner().invoke(forget_commands, [command, "--run", str(run.folder)])
        assert told.exit_code == 0, told.output


def own(run: SimulatedRun) -> dict[str, bytes]:
    """The item rows that stay at each client, by client and file."""
    folders = {name: run.client(name).folder for name in run.clients}
    return {f"{name} {path.name}": path.read_bytes() for name in folders for path in folders[name].glob("items-*")}


def test_a_client_that_was_put_back_gets_its_own_rows_again_by_training(tmp_path: Path, small: Settings) -> None:
    run = trained(tmp_path / "run", small(shards=2, items__rank=4, items__share="none", train__epochs=1))
    home = run.homes["client-1"].folder
    shutil.copytree(home, tmp_path / "old")
    asked(run, *of("u07"))
    execution(run).run()
    right, files = served(run), own(run)
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "old", home)
    assert served(run) != right
    said: list[str] = []
    execution(run, said).run()
    assert served(run) == right and own(run) == files
    assert sum("without the item rows that a client had kept to itself: trained again" in line for line in said) == 2
