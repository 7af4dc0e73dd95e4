"""`fedrec export`: adapter, base and tokenizer in one folder, which PEFT loads alone; and README's lines about it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

from fedrec.config import load
from fedrec.errors import FedrecError, UsageError
from fedrec.models.base import load_base
from server.prepare import prepare
from server.simulated_run import SimulatedRun
from tests import cli
from tests.conftest import Settings
from tests.models.saved import SIZES, save_base
from tests.server.test_federated_executor import trained

IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    return trained(tmp_path_factory.mktemp("sharded") / "run", small(shards=2, federation__rounds=1))


def lora(model: Any) -> dict[str, torch.Tensor]:
    """The adapter that a PEFT model holds, in this project's names."""
    parts = {".lora_A.default.weight": ".A", ".lora_B.default.weight": ".B"}
    found = {}
    for name, tensor in model.named_parameters():
        for theirs, ours in parts.items():
            if name.endswith(theirs):
                found[name.removeprefix("base_model.model.").removesuffix(theirs) + ours] = tensor.detach()
    return found


@pytest.mark.parametrize("shard", [0, 1])
def test_the_folder_is_all_that_is_needed(
    shard: int, sharded: SimulatedRun, tiny_base: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    told = sharded.export("client-1", tmp_path / "mine", shard)
    model = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "mine").eval()
    served = sharded.client("client-1").ensemble.adapters()[shard]
    assert told["sha256"] == sharded.client("client-1").ensemble.hashes()[shard]
    loaded = lora(model)
    assert loaded.keys() == served.keys()
    assert all(torch.equal(loaded[name], served[name]) for name in served)
    assert not [warning for warning in recwarn if "key" in str(warning.message)]
    with torch.no_grad(), model.disable_adapter():
        torch.testing.assert_close(model(IDS).logits, load_base(str(tiny_base)).model(IDS).logits)
    with torch.no_grad():
        assert (model(IDS).logits - load_base(str(tiny_base)).model(IDS).logits).abs().max() > 1e-4
    theirs, ours = AutoTokenizer.from_pretrained(tmp_path / "mine"), load_base(str(tiny_base)).tokenizer
    assert theirs("red storm (1987)")["input_ids"] == ours("red storm (1987)")["input_ids"]
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}


def test_wrong_use_is_named(sharded: SimulatedRun, tmp_path: Path) -> None:
    wrong = {
        r"no such client \(did you mean client-0\?\); there are client-0, client-1": ("client0", tmp_path / "new", 0),
        "is there already": ("client-0", tmp_path, 0),
        r"serves shards 0, 1, an adapter each: name one with --shard": ("client-0", tmp_path / "new", None),
        r"--shard 2: client client-0 serves 0, 1": ("client-0", tmp_path / "new", 2),
    }
    for message, arguments in wrong.items():
        with pytest.raises(UsageError, match=message):
            sharded.export(*arguments)
    assert not (tmp_path / "new").exists()


def test_what_is_withdrawn_is_not_exported(sharded: SimulatedRun, tmp_path: Path) -> None:
    run = SimulatedRun(Path(shutil.copytree(sharded.folder, tmp_path / "run")))
    run.client("client-0").ensemble.withdraw([1], [])
    with pytest.raises(UsageError, match="--shard 1: client client-0 serves 0"):
        run.export("client-0", tmp_path / "mine", 1)
    assert run.export("client-0", tmp_path / "mine", None)["shard"] == 0
    run.client("client-0").ensemble.withdraw([0], [])
    with pytest.raises(FedrecError, match="serves no shard"):
        run.export("client-0", tmp_path / "other", None)


def test_an_export_is_no_base_but_holds_one(sharded: SimulatedRun, tmp_path: Path) -> None:
    sharded.export("client-0", tmp_path / "mine", 0)
    with pytest.raises(FedrecError, match=f"an adapter over {tmp_path / 'mine' / 'base'}"):
        load_base(str(tmp_path / "mine"))
    load_base(str(tmp_path / "mine" / "base"))


def test_readme_as_printed(small: Settings, tiny_base: Path, tmp_path: Path) -> None:
    """Where the run's base is gone by then, and nobody has fedrec."""
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    run = trained(tmp_path / "runs" / "one", small(base=str(base), federation__rounds=4))
    readme = (cli.ROOT / "README.md").read_text("utf-8")
    command = re.search(r"`fedrec (export [^`]+)`", readme)
    line = re.search(r'AutoPeftModelForCausalLM\.from_pretrained\("mine"\)', readme)
    inner = re.search(r"`(runs/one/clients/client-0/[^`]+)`", readme)
    assert command
    assert line
    assert inner
    (own,) = (tmp_path / inner[1].replace("/ID/", f"/{run.id}/")).iterdir()
    load = "import sys; from peft import AutoPeftModelForCausalLM; assert 'fedrec' not in sys.modules; {}"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1"}
    for gone, code in ((False, line[0].replace("mine", str(own))), (True, line[0])):
        if gone:
            code_, out, err = cli.run(*shlex.split(command[1]), "--json", "-", cwd=tmp_path)
            assert code_ == 0, err
            assert json.loads(out)["folder"] == str(tmp_path / "mine")
            shutil.rmtree(base)
            shutil.rmtree(tmp_path / "runs")
        subprocess.run([sys.executable, "-c", load.format(code)], cwd=tmp_path, env=environment, check=True)


def test_a_base_with_experts_from_its_refusal_to_an_export(
    small: Settings, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    latent = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
    experts = {"moe_intermediate_size": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1}
    more = {"topk_group": 1, "first_k_dense_replace": 1, "num_key_value_heads": 2}
    base = save_base(tmp_path / "base", "deepseek_v3", **SIZES, **latent, **experts, **more)
    settings = small(base=str(base), federation__rounds=1)
    with pytest.raises(UsageError, match=r"takes it for one of experts, .*; set lora\.targets to ") as caught:
        prepare(load(overrides=settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    targets = str(caught.value).rpartition("set lora.targets to ")[2]
    run = trained(tmp_path / "run", settings | {"lora.targets": targets})
    run.export("client-0", tmp_path / "mine", None)
    loaded, served = (
        lora(AutoPeftModelForCausalLM.from_pretrained(tmp_path / "mine")),
        run.client("client-0").ensemble.adapters(),
    )
    assert loaded.keys() == served[0].keys()
    assert all(torch.equal(loaded[name], served[0][name]) for name in loaded)
    assert not [warning for warning in recwarn if "key" in str(warning.message)]
