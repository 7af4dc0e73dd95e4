"""What fedrec takes for granted of how a model reads is tried out: each thing that may be wrong is found, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, BertConfig, PreTrainedModel

from fedrec.models.causality import fault_of
from fedrec.models.head import answer_logits, is_plain
from tests.models.tiny import FAMILIES, VOCABULARY, close, tiny_model

Change = Callable[[Tensor, Tensor], Tensor]  # of states or logits (b, t, n) by token ids (b, t)


def a_later_token(states: Tensor, ids: Tensor) -> Tensor:
    return states + 0.1 * ids.float().mean(1)[:, None, None]


def another_row(states: Tensor, _: Tensor) -> Tensor:
    return states + 0.1 * (states - states.mean(0, keepdim=True))


def the_tokens(logits: Tensor, ids: Tensor) -> Tensor:
    return logits + 0.1 * ids[..., None]


def a_cap(logits: Tensor, _: Tensor) -> Tensor:
    return 30 * torch.tanh(logits / 30)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_wrong_with_plain_families(family: str) -> None:
    model = tiny_model(family)
    assert fault_of(model) is None
    assert is_plain(model)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (a_later_token, "it is not a causal language model: a later token changes an earlier state"),
        (another_row, "its states depend on padding or on other rows of a batch"),
    ],
)
def test_states_that_depend_on_more_than_what_was_read(change: Change, reason: str) -> None:
    model = tiny_model("llama")
    changed(model.model, "last_hidden_state", change)
    assert fault_of(model) == reason


def test_logits_that_depend_on_more_than_the_last_state() -> None:
    model = tiny_model("llama")
    changed(model, "logits", the_tokens)
    assert fault_of(model) == "its logits do not follow from its last hidden states"


def test_a_cap_far_above_the_logits_of_made_up_tokens_is_seen() -> None:
    """By states that are made large: a cap at 30 changes logits of 0.1 by less than their rounding."""
    model = tiny_model("llama")
    changed(model, "logits", a_cap)
    assert fault_of(model) is None
    assert not is_plain(model)
    hidden = torch.full((1, 16), 20.0)
    own = 30 * torch.tanh(model.lm_head(hidden)[:, [1, 2]] / 30)
    close(answer_logits(model, hidden, (1, 2)), own)


def test_a_reader_of_both_sides() -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    model = AutoModelForCausalLM.from_config(BertConfig(vocab_size=VOCABULARY, **sizes)).eval()
    assert "a later token changes an earlier state" in str(fault_of(model))


def test_a_model_whose_own_code_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("pixel_values are\nmissing")

    model = tiny_model("llama")
    monkeypatch.setattr(model.model, "forward", fails)
    assert fault_of(model) == "it cannot be read with token ids alone (RuntimeError: pixel_values are missing)"


def changed(module: PreTrainedModel, name: str, change: Change) -> None:
    """Make a module give something else."""

    def hook(_: Any, __: Any, given: dict[str, Tensor], output: Any) -> Any:
        output[name] = change(output[name], given["input_ids"])
        return output

    module.register_forward_hook(hook, with_kwargs=True)
