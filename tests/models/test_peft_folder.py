"""PEFT folders, both ways, and everything that can be wrong with one."""

import json

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, DeepseekV3Config, MixtralConfig, OlmoeConfig, Qwen2MoeConfig

from fedrec.config import LoraConfig
from fedrec.errors import FedrecError, UsageError
from fedrec.models.adapter_bank import AdapterBank, Routed, state_hash
from fedrec.models.item_tokens import extended, item_tokens
from fedrec.models.peft_folder import CONFIG, WEIGHTS, load_peft, save_peft
from fedrec.models.targets import check_targets
from fedrec.protocol.adapters import ITEMS_A, ROWS
from tests.models.tiny import CONFIG as LORA
from tests.models.tiny import FAMILIES, VOCABULARY, close, logits, randomise, tiny_model

SOME = {"llama": "q_proj", "qwen2": "v_proj", "gpt2": "c_attn", "opt": "fc1", "gemma": "o_proj"}


def through(bank, model):
    with bank.use(Routed(0)):
        return logits(model)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("all_layers", [True, False])
def test_peft_loads_what_we_save(family, all_layers, tmp_path, recwarn):
    model = tiny_model(family)
    config = LoraConfig(rank=2, alpha=2.5, dropout=0.1, targets="all-linear" if all_layers else (SOME[family],))
    bank = AdapterBank(model, config).eval()
    state = randomise(bank)[0]
    save_peft(tmp_path / "a" / "adapter", state, config, "tiny")
    theirs = peft.PeftModel.from_pretrained(tiny_model(family), tmp_path / "a" / "adapter")
    close(logits(theirs), through(bank, model))
    assert not [warning for warning in recwarn if "keys" in str(warning.message)]
    again, same = load_peft(tmp_path / "a" / "adapter")
    exact = config.model_copy(update={"targets": tuple(sorted(bank.layers))})
    assert (state_hash(again), same) == (state_hash(state), exact)


@pytest.mark.parametrize("family", FAMILIES)
def test_peft_loads_item_rows_over_the_extended_base(family, tmp_path, recwarn):
    def with_titles():
        return extended(tiny_model(family), ((3, 4), (5,), (6, 7, 8)), 4)

    model = with_titles()
    bank = AdapterBank(model, LORA)
    (state,) = randomise(bank)
    state |= {key: state[key][[0, 2]] for key in (ITEMS_A, ROWS)}  # one item has no row
    bank.load(0, state)
    save_peft(tmp_path, state, LORA, "tiny", item_tokens(model))
    ids = torch.tensor([[1, 2, VOCABULARY, 9], [5, VOCABULARY + 2, 4, VOCABULARY + 1]])
    with bank.use(Routed(0)):
        ours = logits(model, ids)
    theirs = peft.PeftModel.from_pretrained(with_titles(), tmp_path)
    close(logits(theirs, ids), ours)
    assert (logits(theirs, ids) - logits(model, ids)).abs().max() > 0.1
    assert not [warning for warning in recwarn if "keys" in str(warning.message)]
    again, config = load_peft(tmp_path)
    assert state_hash(again) == state_hash(state)
    assert config.targets == tuple(sorted(bank.layers))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": "all-linear"},
        {"target_modules": "all-linear", "use_rslora": True},
        {"target_modules": ["named below", "not in this model"], "layers_to_transform": [1]},
        {"target_modules": r".*\.1\..*(q_proj|c_attn)"},
    ],
)
def test_we_load_what_peft_saves(family, settings, tmp_path):
    if isinstance(settings["target_modules"], list):
        settings = {**settings, "target_modules": [SOME[family], "not in this model"]}
    torch.manual_seed(0)
    theirs = peft.get_peft_model(
        tiny_model(family),
        peft.LoraConfig(r=2, lora_alpha=3, init_lora_weights=False, fan_in_fan_out=family == "gpt2", **settings),
    ).eval()
    theirs.save_pretrained(tmp_path)
    state, config = load_peft(tmp_path)
    model = tiny_model(family)
    bank = AdapterBank(model, config)
    bank.load(0, state)
    close(through(bank, model), logits(theirs))
    assert (logits(theirs) - logits(model)).abs().max() > 0.01


@pytest.fixture
def folder(tmp_path):
    bank = AdapterBank(tiny_model("llama"), LORA)
    save_peft(tmp_path, randomise(bank)[0], LORA, "tiny")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA'; only LORA"),
        ({"use_dora": True}, "use_dora is set"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern is set"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern is set"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save is set"),
        ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4' changed the base"),
        ({"r": 4}, r"has shape \(2, 24\), expected \(4, 24\)"),
        ({"r": 0}, '"r": 0.* are no settings of LoRA'),
        ({"r": None, "use_rslora": True}, '"r": null.* are no settings of LoRA'),
        ({"lora_alpha": "much"}, '"lora_alpha": "much".* are no settings of LoRA'),
    ],
)
def test_settings_that_a_bank_cannot_hold(folder, change, message):
    path = folder / CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refused(folder, message)


def test_a_setting_that_is_missing(folder):
    path = folder / CONFIG
    path.write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    refused(folder, "lora_alpha is missing")


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe{"])
def test_a_configuration_that_is_no_json_object(folder, content):
    (folder / CONFIG).write_bytes(content)
    refused(folder, CONFIG)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    refused(folder, f"{name}: no such file")


KEY = "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({KEY: None}, r"up_proj\.A is missing"),
        ({KEY: torch.zeros(3, 16)}, r"up_proj\.A has shape \(3, 16\), expected \(2, 16\)"),
        ({KEY: torch.zeros(16)}, r"up_proj\.A has shape \(16,\)"),
        ({KEY: torch.tensor(0.0)}, r"up_proj\.A has shape \(\)"),
        ({KEY: torch.full((2, 16), float("inf"))}, "not finite"),
        ({"base_model.model.lm_head.weight": torch.zeros(2)}, r"lm_head\.weight is no lora_A or lora_B weight"),
        ({"other.lora_A.weight": torch.zeros(2, 16)}, "other.* is no lora_A or lora_B weight"),
    ],
)
def test_weights_that_are_no_whole_adapter(folder, change, message):
    weights = {**load_file(folder / WEIGHTS), **change}
    save_file({key: tensor for key, tensor in weights.items() if tensor is not None}, folder / WEIGHTS)
    refused(folder, message)


def test_weights_cut_short_or_empty(folder):
    content = (folder / WEIGHTS).read_bytes()
    for broken in (content[:100], content[:-5], b""):
        (folder / WEIGHTS).write_bytes(broken)
        refused(folder, WEIGHTS)
    save_file({}, folder / WEIGHTS)
    refused(folder, "holds no tensor")


def test_half_precision_is_read_as_fp32(folder):
    weights = {key: tensor.half() for key, tensor in load_file(folder / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS)
    assert {tensor.dtype for tensor in load_peft(folder)[0].values()} == {torch.float32}


def test_saving_refuses_another_rank(tmp_path):
    state = AdapterBank(tiny_model("llama"), LORA).state(0)
    with pytest.raises(FedrecError, match=r"expected \(3, 16\)"):
        save_peft(tmp_path / "new", state, LoraConfig(rank=3), "tiny")
    assert not (tmp_path / "new").exists()


def refused(folder, message):
    with pytest.raises(FedrecError, match=message) as caught:
        load_peft(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


SIZES = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 24, "num_key_value_heads": 2, "num_experts_per_tok": 1, "initializer_range": 0.3}
EXPERTS = {
    "mixtral": MixtralConfig(**SIZES, num_local_experts=2),
    "olmoe": OlmoeConfig(**SIZES, num_experts=2),
    "qwen2_moe": Qwen2MoeConfig(**SIZES, num_experts=2, moe_intermediate_size=8, shared_expert_intermediate_size=8),
}
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
DEEPSEEK = DeepseekV3Config(
    **SIZES, **LATENT, moe_intermediate_size=8, n_routed_experts=4, n_group=1, topk_group=1, first_k_dense_replace=1
)


def of(config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("family", EXPERTS)
def test_experts_get_no_adapters_from_peft_that_we_never_made(family, tmp_path, recwarn):
    model = of(EXPERTS[family])
    check_targets(model, LORA)
    bank = AdapterBank(model, LORA).eval()
    save_peft(tmp_path, randomise(bank)[0], LORA, "tiny")
    theirs = peft.PeftModel.from_pretrained(of(EXPERTS[family]), tmp_path)
    close(logits(theirs), through(bank, model))
    assert not [warning for warning in recwarn if "keys" in str(warning.message)]


def test_layers_that_peft_would_lose_are_refused_and_the_mend_works(tmp_path, recwarn):
    model = of(DEEPSEEK)
    with pytest.raises(
        UsageError, match=r"no adapter can be on down_proj,gate_proj,up_proj .*takes it for one of experts"
    ) as caught:
        check_targets(model, LORA)
    mend = LORA.model_copy(update={"targets": str(caught.value).rpartition("; set lora.targets to ")[2]})
    check_targets(model, mend)
    bank = AdapterBank(model, mend).eval()
    save_peft(tmp_path, randomise(bank)[0], mend, "tiny")
    theirs = peft.PeftModel.from_pretrained(of(DEEPSEEK), tmp_path)
    close(logits(theirs), through(bank, model))
    assert not [warning for warning in recwarn if "keys" in str(warning.message)]
    with pytest.raises(UsageError, match=r"PEFT cannot hold it: .*; choose another base model"):
        check_targets(model, LORA.model_copy(update={"targets": "up_proj"}))


@pytest.mark.parametrize("family", FAMILIES)
def test_plain_families_are_held_whole(family):
    model = tiny_model(family)
    check_targets(model, LORA)
    check_targets(model, LORA.model_copy(update={"targets": SOME[family]}))
