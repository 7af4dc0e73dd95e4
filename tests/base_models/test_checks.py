"""The one-time check of a base model: what cannot do a run's work is named in one line, before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Phi3Config

from fedrec.base_models import checks
from fedrec.base_models.checks import check_base
from fedrec.config import PromptConfig
from fedrec.errors import FedrecError
from fedrec.models.base import context_of, load_base, width_of
from fedrec.models.body import hidden_states
from fedrec.models.vectors import item_vectors
from tests import cli
from tests.models.saved import SIZES, save_base

TEXT = SIZES | {"vocab_size": 400, "num_key_value_heads": 1, "head_dim": 8}
EYES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", SIZES),
    "gpt2": ("gpt2", {"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 128}),
    "a state narrower than the model": (
        "opt",
        {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 24, "word_embed_proj_dim": 8},
    ),
    "context and width in text_config": ("gemma3", {"text_config": TEXT, "vision_config": EYES}),
    "max_seq_len": ("mpt", {"d_model": 16, "n_heads": 2, "n_layers": 2, "max_seq_len": 64}),
    "a cache for single tokens": ("mamba", {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}),
}
BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "tokenizer": ("llama", SIZES | {"vocab_size": 200}, "tokenizer knows 300 tokens, its embedding 200"),
    "context": ("llama", SIZES | {"max_position_embeddings": 8}, "reads 8 tokens at most"),
    "max_seq_len": ("mpt", {"d_model": 16, "n_heads": 2, "n_layers": 2, "max_seq_len": 8}, "reads 8 tokens at most"),
    "reads both ways": ("bert", SIZES, "not a causal language model: a later token changes an earlier state"),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_base_that_can_do_the_work_passes_whatever_its_sizes_are_called(case: str, tmp_path: Path) -> None:
    family, sizes = GOOD[case]
    base = load_base(str(save_base(tmp_path, family, **sizes)))
    check_base(base, PromptConfig())
    assert base.context in sizes.values() or base.context in TEXT.values() or family in ("opt", "mamba")
    assert item_vectors(base, ["red storm"]).shape == (1, width_of(base.model))


@pytest.mark.parametrize("case", BAD)
def test_a_base_that_cannot_is_named_in_one_line(case: str, tmp_path: Path) -> None:
    family, sizes, reason = BAD[case]
    with pytest.raises(FedrecError, match=reason) as caught:
        check_base(load_base(str(save_base(tmp_path, family, **sizes))), PromptConfig())
    assert "\n" not in str(caught.value)


def test_nothing_of_a_run_is_left_over_an_unusable_base(ratings: Path, tmp_path: Path) -> None:
    family, sizes, reason = BAD["reads both ways"]
    save_base(tmp_path / "base", family, **sizes)
    code, out, err = cli.run("simulate", "--data", ratings, "--base", "base", "--out", "run", cwd=tmp_path)
    assert (code, err.count("\n"), out) == (1, 1, "")
    assert reason in err
    assert not (tmp_path / "run").exists()
    code, _, err = cli.run("base", "info", "base", cwd=tmp_path)
    assert (code, err.count("\n")) == (1, 1)
    assert reason in err


def test_answers_that_are_no_numbers(tmp_path: Path) -> None:
    base = load_base(str(save_base(tmp_path, **SIZES)))
    with torch.no_grad():
        base.model.model.norm.weight[3] = torch.nan
    with pytest.raises(FedrecError, match="not numbers"):
        check_base(base, PromptConfig())


def test_a_history_that_is_kept_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = checks.score_candidates
    monkeypatch.setattr(checks, "score_candidates", lambda *args, **kw: right(*args, **kw) + 0.01)
    with pytest.raises(FedrecError, match=r"scores 0\.01 apart"):
        check_base(load_base(str(save_base(tmp_path, **SIZES))), PromptConfig())


@pytest.mark.parametrize(("settings", "context"), [({}, 2048), ({"max_seq_len": 30}, 30), ({"n_ctx": -1}, 2048)])
def test_the_context_under_every_name(settings: dict[str, int], context: int) -> None:
    from transformers import PretrainedConfig

    assert context_of(PretrainedConfig(**settings)) == context


def test_a_context_ends_where_a_longer_input_would_be_read_otherwise() -> None:
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    sizes = SIZES | {"vocab_size": 50, "num_attention_heads": 2, "num_key_value_heads": 2, "pad_token_id": 1}
    config = Phi3Config(**sizes, original_max_position_embeddings=32, rope_parameters=rope)
    model = AutoModelForCausalLM.from_config(config).eval()
    ids = torch.randint(50, (1, 60), generator=torch.Generator().manual_seed(0))
    context = context_of(config)
    with torch.no_grad():
        longer, whole, half = (hidden_states(model, ids[:, :n])[:, :16] for n in (context + 1, context, 16))
    torch.testing.assert_close(whole, half, rtol=1e-4, atol=1e-5)
    assert (longer - half).abs().max() > 1e-3
