"""Loading a base model: frozen, the same logits as the whole model gives, and one clear line for whatever is wrong."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    GraniteConfig,
    PretrainedConfig,
    T5Config,
    T5ForConditionalGeneration,
)

from fedrec.errors import FedrecError
from fedrec.models.adapter import initial_state
from fedrec.models.adapter_bank import AdapterBank
from fedrec.models.base import fingerprint, load_base, pack, unpack
from fedrec.models.body import hidden_states
from fedrec.models.embedded import cache
from fedrec.models.head import answer_logits
from fedrec.models.peft_folder import save_peft
from fedrec.models.pretraining import new_llama, train_tokenizer
from fedrec.models.vectors import item_vectors
from tests.models.saved import save_base
from tests.models.tiny import CONFIG, FAMILIES, tiny_ids, tiny_model

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
SCALED: dict[str, PretrainedConfig] = {
    "gemma2": Gemma2Config(
        **SIZES, num_key_value_heads=1, head_dim=8, final_logit_softcapping=0.5, initializer_range=0.5
    ),
    "cohere": CohereConfig(**SIZES, logit_scale=0.25, initializer_range=0.3, pad_token_id=0),
    "granite": GraniteConfig(**SIZES, logits_scaling=8.0, initializer_range=0.3),
}


@pytest.mark.parametrize("family", [*FAMILIES, *SCALED])
def test_answer_logits_are_those_of_the_whole_model(family: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config({**FAMILIES, **SCALED}[family]).eval()
    head = model.get_output_embeddings()
    if getattr(head, "bias", None) is not None:
        torch.nn.init.normal_(head.bias)
    ids = torch.randint(50, (3, 9))
    with torch.no_grad():
        whole = model(input_ids=ids).logits
        answers = answer_logits(model, hidden_states(model, ids).flatten(0, 1), (7, 31)).view(3, 9, 2)
    torch.testing.assert_close(answers, whole[..., [7, 31]].float(), rtol=1e-5, atol=1e-5)


def test_a_bias_of_the_output_embedding_counts() -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(FAMILIES["llama"]).eval()
    model.lm_head = torch.nn.Linear(16, 50, bias=True)
    hidden = torch.randn(4, 16)
    torch.testing.assert_close(answer_logits(model, hidden, (3, 2)), model.lm_head(hidden)[:, [3, 2]])


@pytest.mark.parametrize("family", [*FAMILIES, *SCALED])
def test_padding_on_the_right_changes_nothing(family: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config({**FAMILIES, **SCALED}[family]).eval()
    ids = torch.randint(50, (2, 6))
    padded = torch.cat([ids, torch.zeros(2, 5, dtype=torch.long)], dim=1)
    with torch.no_grad():
        alone, within = hidden_states(model, ids), hidden_states(model, padded)[:, :6]
    assert alone.shape == (2, 6, alone.shape[-1])
    torch.testing.assert_close(alone, within, rtol=1e-4, atol=1e-5)


def test_a_loaded_base_is_frozen_and_kept(tiny_base: Path) -> None:
    base = load_base(str(tiny_base))
    assert not base.model.training
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert {parameter.dtype for parameter in base.model.parameters()} == {torch.float32}
    assert base.context == 512
    assert load_base(str(tiny_base)) is base


def test_bf16_halves_linear_weights_only(tiny_base: Path) -> None:
    model = load_base(str(tiny_base), precision="bf16").model
    assert model.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    assert model.lm_head.weight.dtype == model.model.norm.weight.dtype == torch.float32


def test_a_fingerprint_sees_every_weight() -> None:
    model = new_llama(40, 32, 1, 64, 0)
    before = fingerprint(model)
    assert before == fingerprint(new_llama(40, 32, 1, 64, 0))
    for parameter in model.parameters():
        with torch.no_grad():
            parameter.view(-1)[-1] += 1
        changed = fingerprint(model)
        assert changed != before
        before = changed


def test_item_vectors_depend_on_the_title_alone(tiny_base: Path) -> None:
    base = load_base(str(tiny_base))
    titles = ["red storm (1987)", "city", "the old and the new river of the blue mask (1994)"] * 30
    together = item_vectors(base, titles)
    assert together.shape == (90, 32)
    assert together.dtype == "float32"
    for number in (0, 1, 2, 89):
        alone = item_vectors(base, [titles[number]])[0]
        assert together[number] == pytest.approx(alone, rel=1e-3, abs=1e-5)
    assert abs(together[0] - together[1]).max() > 1e-3


def one_line(name: str) -> str:
    with pytest.raises(FedrecError) as caught:
        load_base(name)
    text = str(caught.value)
    assert "\n" not in text
    assert name in text
    return text


def test_no_such_folder(tmp_path: Path) -> None:
    assert "no such folder" in one_line(str(tmp_path / "none"))


def test_no_such_model_on_the_hub() -> None:
    assert "hub" in one_line("nobody-at-all/no-such-model")


def test_an_empty_folder(tmp_path: Path) -> None:
    one_line(str(tmp_path))


def saved(folder: Path, tokenizer: bool = True) -> Path:
    new_llama(300, 32, 1, 64, 0).save_pretrained(folder)
    if tokenizer:
        train_tokenizer(["red storm", "blue river"] * 3, 300).save_pretrained(folder)
    return folder


def test_a_folder_without_weights(tmp_path: Path) -> None:
    (saved(tmp_path) / "model.safetensors").unlink()
    assert "no complete model" in one_line(str(tmp_path))


def test_a_folder_with_broken_weights(tmp_path: Path) -> None:
    weights = saved(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "no complete model" in one_line(str(tmp_path))


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    one_line(str(saved(tmp_path, tokenizer=False)))


def test_a_model_that_is_no_causal_language_model(tmp_path: Path) -> None:
    saved(tmp_path)
    config = T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    assert "not a causal language model" in one_line(str(tmp_path))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def write_weights(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_each_weight_that_is_missing_is_named(family: str, tmp_path: Path) -> None:
    weights = weights_of(save_base(tmp_path, family, **SIZES, tie_word_embeddings=False))
    for name in weights:
        write_weights(tmp_path, {other: tensor for other, tensor in weights.items() if other != name})
        assert f"lack {name}," in one_line(str(tmp_path))
    write_weights(tmp_path, weights)
    load_base(str(tmp_path))


def test_a_body_without_its_head(tmp_path: Path) -> None:
    save_base(tmp_path, **SIZES, tie_word_embeddings=False)
    AutoModel.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert "lack lm_head.weight, which would be random numbers" in one_line(str(tmp_path))


def test_many_missing_weights_are_counted(tmp_path: Path) -> None:
    weights = weights_of(save_base(tmp_path, **SIZES))
    write_weights(tmp_path, dict([*weights.items()][:1]))
    assert re.search(r"lack \S+, \S+, \S+ and \d+ more, ", one_line(str(tmp_path)))


def test_weights_of_another_shape(tmp_path: Path) -> None:
    weights = weights_of(save_base(tmp_path, **SIZES))
    write_weights(tmp_path, weights | {"model.norm.weight": torch.ones(3)})
    assert "lack model.norm.weight in its shape," in one_line(str(tmp_path))


def test_an_adapter_of_the_hub_is_no_base(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for constants in ("huggingface_hub.constants", "transformers.utils.hub.constants"):
        monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(tmp_path))
    model = tmp_path / "models--somebody--lora"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("a" * 40)
    state = initial_state(load_base(str(tiny_base)).model, CONFIG, 0)
    save_peft(model / "snapshots" / ("a" * 40), state, CONFIG, "somebody/model")
    assert "an adapter over somebody/model, not a model" in one_line("somebody/lora")


def test_an_adapter_is_no_base(tiny_base: Path, tmp_path: Path) -> None:
    """Neither alone, where transformers would load its base, nor beside a whole model, where it would stack them."""
    model = load_base(str(tiny_base)).model
    state = initial_state(model, CONFIG, 0)
    save_peft(tmp_path / "alone", state, CONFIG, str(tiny_base))
    save_peft(save_base(tmp_path / "beside", **SIZES), state, CONFIG, str(tmp_path / "beside"))
    for folder in ("alone", "beside"):
        assert "not a model" in one_line(str(tmp_path / folder))
    assert f"an adapter over {tiny_base}" in one_line(str(tmp_path / "alone"))


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FEDREC_CACHE", str(tmp_path))
    assert cache() == tmp_path


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_model_is_the_model(family: str) -> None:
    model = tiny_model(family)
    with AdapterBank(model, CONFIG):  # what hangs on the model does not travel
        packed = pickle.loads(pickle.dumps(pack(model)))
    there = unpack(packed, "cpu")
    assert fingerprint(there) == fingerprint(model)
    assert not any(parameter.requires_grad for parameter in there.parameters())
    with torch.no_grad():
        torch.testing.assert_close(hidden_states(there, tiny_ids()), hidden_states(model, tiny_ids()))


def test_a_packed_model_keeps_its_precision(tiny_base: Path) -> None:
    model = load_base(str(tiny_base), precision="bf16").model
    there = unpack(pack(model), "cpu")
    assert fingerprint(there) == fingerprint(model)
    assert there.lm_head.weight.data_ptr() == there.model.embed_tokens.weight.data_ptr()
