"""Bases of other families from the command line: what they recommend is what they say of whole prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fedrec.commands.base import _facts
from fedrec.config import LoraConfig
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.base import load_base
from fedrec.models.targets import check_targets
from fedrec.tasks import encoder_of
from server.simulated_run import SimulatedRun
from tests import cli
from tests.conftest import Settings
from tests.models.saved import SIZES, save_base

BASES: dict[str, tuple[dict[str, Any], str]] = {
    "mistral": (SIZES | {"num_key_value_heads": 1, "sliding_window": 12, "initializer_range": 0.2}, "all-linear"),
    "mamba": ({"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}, "in_proj,x_proj"),
    "roberta": (SIZES | {"is_decoder": True, "initializer_range": 0.2}, "all-linear"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("family", "precision"), [("mistral", "fp32"), ("mamba", "bf16"), ("roberta", "bf16")])
def test_recommended_titles_have_the_scores_of_their_prompts(
    family: str, precision: str, small: Settings, tmp_path: Path
) -> None:
    """The history is longer than the window, a Mamba goes on from none, and RoBERTa's head is more than a matrix."""
    sizes, targets = BASES[family]
    base = save_base(tmp_path / "base", family, **sizes)
    changes = {"federation__rounds": 1, "clients__count": 2, "lora__targets": targets, "train__precision": precision}
    settings = cli.as_sets(small(base=str(base), **changes))
    cli.here("simulate", "--out", tmp_path / "run", *settings)
    told = json.loads(cli.here("recommend", tmp_path / "run", "--user", "u07", "--top", 5, "--json", "-"))
    right = scores_of_prompts(SimulatedRun(tmp_path / "run"), told["client"], "u07", precision)
    assert len(told["items"]) == 5
    for item in told["items"]:
        assert item["score"] == pytest.approx(right[item["item"]], abs=1e-4 if precision == "fp32" else 0.02)


@pytest.mark.slow
def test_layers_that_no_adapter_can_be_on_are_named_before_anything_is_made(small: Settings, tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", "mamba", **BASES["mamba"][0])
    code, out, err = cli.run("simulate", "--out", "run", *cli.as_sets(small(base=str(base))), cwd=tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no adapter can be on dt_proj,out_proj (backbone.layers.0.mixer.dt_proj: the model uses its weights" in err
    assert "set lora.targets to in_proj,x_proj" in err
    assert not (tmp_path / "run").exists()


def test_what_is_told_of_a_base_is_what_a_run_takes(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", "mamba", **BASES["mamba"][0])
    facts = _facts(str(base))
    assert facts["targets"] == ["in_proj", "x_proj"]
    assert facts["adapted_layers"] == 4
    assert facts["keeps_a_history"] is False
    check_targets(load_base(str(base)).model, LoraConfig(targets=",".join(facts["targets"])))


def scores_of_prompts(run: SimulatedRun, client: str, user: str, precision: str) -> dict[str, float]:
    """By item, what the client's adapter makes the whole model say after the user's history, prompt by prompt."""
    store = run.client(client)
    base = load_base(str(run.config.base), precision=precision)
    encoder = encoder_of(run.config, run.catalogue, base)
    rows = store.interactions()
    mine = rows.user == rows.user_ids.index(user)
    past = encoder.past_of(rows.item[mine].tolist(), rows.label[mine].tolist())
    right: dict[str, float] = {}
    with AdapterBank(base.model, run.config.lora) as bank:
        bank.load(0, store.ensemble.adapters()[0])
        bank.eval()
        for item, name in enumerate(run.catalogue.ids):
            with torch.no_grad(), bank.use(Routed(0)), torch.autocast("cpu", torch.bfloat16, precision == "bf16"):
                logits = base.model(input_ids=torch.tensor([past + encoder.question(item)])).logits[0, -1]
            right[name] = float(logits[list(encoder.template.answers)].double().softmax(-1)[1])
    return right
