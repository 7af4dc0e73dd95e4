"""Every causal language model that transformers knows: right in all that fedrec does with one, or refused in one line.

The models are tiny and random, with windows shorter than the histories, and scales and caps that show. What is right is
what the model says by itself: its own logits, of whole prompts, and the gradients of its own weights.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fedrec.config import LoraConfig
from fedrec.errors import UsageError
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed
from fedrec.models.attention import use_matmul_attention
from fedrec.models.base import pack, unpack
from fedrec.models.body import hidden_states
from fedrec.models.causality import fault_of
from fedrec.models.head import answer_logits
from fedrec.models.split import SplitPlan
from fedrec.models.split import fault_of as fault_of_split
from fedrec.models.targets import check_targets
from fedrec.scoring import score_candidates
from fedrec.tasks.like import YesOrNo
from tests.models.families import FAMILIES, NotTiny, family
from tests.models.sizes import VOCABULARY, WINDOW

REFUSED = {
    "cpmant": "a later token changes an earlier state",
    "xlm": "a later token changes an earlier state",
    "xlnet": "a later token changes an earlier state",
    "prophetnet": "logits cannot be had from its last hidden states",
}
NOT_TINY = {
    "blt": "its parts have sizes of their own: reads bytes, by a model that cuts them into patches",
    "dbrx": "its configuration makes no model in this version of transformers",
    "dots3_note": "eyes and ears of fixed sizes; its text model is dots3_note_text",
    "gemma3n": "its eyes need the library timm; its text model is gemma3n_text",
    "gemma4_assistant": "drafts for another model",
    "gemma4_unified": "eyes of fixed sizes; its text model is gemma4_unified_text",
    "gemma4_unified_assistant": "drafts for another model",
    "moshi": "speaks and hears; no configuration of its own",
    "moss_transcribe_diarize": "transcribes speech; no configuration of its own",
    "musicgen": "makes music; no configuration of its own",
    "musicgen_melody": "makes music; no configuration of its own",
    "phi4_multimodal": "ears of fixed sizes",
    "xlstm": "its kernels take no small sizes",
}
UNTEACHABLE = {"reformer": "nothing is learnt of its output); choose another base model"}
UNSPLIT = {
    "fuyu": "no list of three blocks",
    "gemma3n_text": "needs more than states",  # what each token adds in every block
    "gemma4": "needs more than the states",
    "gemma4_text": "needs more than the states",
    "got_ocr2": "no list of three blocks",
    "hy_v4": "needs more than states",  # blocks that take over an earlier one's choice of tokens
    "inkling2_text": "needs more than the states",
    "mllama": "leaves out the first block of the tail",
    "reformer": "needs more than states",  # two streams
    "xmod": "needs more than states",
    "zamba": "needs more than the states",  # the embeddings, in blocks that share their weights
    "zamba2": "needs more than the states",
    "zaya": "needs more than the states",
}
ANSWERS = (7, 31)
PAST = 3 * WINDOW + 1
SCALE = 1.5  # alpha / rank
IDS = torch.randint(2, VOCABULARY, (2, PAST + 5), generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """The family's model, as a loaded base is."""
    name = request.param
    try:
        made = family(name)
    except NotTiny as error:
        if name not in NOT_TINY:
            raise
        pytest.skip(f"{NOT_TINY[name]} ({error})")
    use_matmul_attention(made)
    return made


@pytest.fixture
def accepted(model: PreTrainedModel, request: pytest.FixtureRequest) -> PreTrainedModel:
    if request.node.callspec.params["model"] in REFUSED:
        pytest.skip("refused when it is loaded")
    return model


def test_what_reads_left_to_right_is_accepted_and_nothing_else(
    model: PreTrainedModel, request: pytest.FixtureRequest
) -> None:
    fault = fault_of(model)
    with torch.no_grad():
        whole, beginning = model(input_ids=IDS).logits[:, :PAST], model(input_ids=IDS[:, :PAST]).logits
    causal = torch.allclose(whole, beginning, rtol=1e-3, atol=1e-3 * float(whole.abs().max()))
    reason = REFUSED.get(request.node.callspec.params["model"])
    if reason is None:
        assert fault is None
        assert causal
    else:
        assert reason in str(fault)
        assert "\n" not in str(fault)
        assert not (causal and "later token" in reason)


def test_answers_have_the_logits_of_the_whole_model(accepted: PreTrainedModel) -> None:
    with torch.no_grad():
        whole = accepted(input_ids=IDS).logits[..., list(ANSWERS)].float()
        answers = answer_logits(accepted, hidden_states(accepted, IDS).flatten(0, 1), ANSWERS).view(whole.shape)
    torch.testing.assert_close(answers, whole, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))


def test_candidates_after_a_kept_history_score_as_whole_prompts(accepted: PreTrainedModel) -> None:
    random = np.random.default_rng(0)
    past = tuple(IDS[0, :PAST].tolist())
    questions = [tuple(random.integers(2, VOCABULARY, length).tolist()) for length in (1, WINDOW + 2, 3)]
    routing = Mixed(torch.tensor([0.7, 0.3]), "D")
    with bank_of(accepted) as bank:
        after = score_candidates(accepted, past, questions, YesOrNo(ANSWERS), bank=bank, routing=routing, batch=2)
        with torch.no_grad(), bank.use(routing):
            whole = [accepted(input_ids=torch.tensor([past + question])).logits[0, -1] for question in questions]
    right = torch.stack(whole)[:, list(ANSWERS)].double().softmax(-1)[:, 1].numpy()
    np.testing.assert_allclose(after, right, atol=2e-4)
    base = score_candidates(accepted, past, questions, YesOrNo(ANSWERS))
    assert right.std() > 1e-4
    assert abs(after - base).max() > 1e-4


def test_an_adapter_learns_what_the_weights_would(accepted: PreTrainedModel) -> None:
    """At B = 0 the gradient of B is (alpha / r) A times that of the layer's weights: none goes by the hook."""
    with bank_of(accepted, learnt=False) as bank:
        weights = {name: accepted.get_submodule(name).weight for name, _ in bank.named_layers()}
        for weight in weights.values():
            weight.requires_grad_(True)
        try:
            with bank.use(Routed(0)):
                hidden = hidden_states(accepted, IDS)
                answers = answer_logits(accepted, hidden.flatten(0, 1), ANSWERS)
            (answers * torch.linspace(-1, 1, answers.numel()).view(answers.shape)).sum().backward()
            shared = Counter(map(id, weights.values()))
            for name, stack in bank.named_layers():
                gradient = weights[name].grad
                if shared[id(weights[name])] > 1:  # by layers that have an adapter each (Zamba)
                    continue
                if gradient is None:  # no token came by this expert
                    assert stack.B.grad is None
                    continue
                matrix = gradient if isinstance(accepted.get_submodule(name), Conv1D) else gradient.T
                scale = float(gradient.abs().max()) + 1e-6
                assert stack.B.grad is not None, name
                torch.testing.assert_close(
                    stack.B.grad[0], SCALE * stack.A[0] @ matrix, rtol=1e-3, atol=1e-3 * scale, msg=name
                )
        finally:
            for weight in weights.values():
                weight.requires_grad_(False)
                weight.grad = None
        with torch.no_grad():
            close(hidden.detach(), hidden_states(accepted, IDS))


def test_each_row_has_its_own_adapter(accepted: PreTrainedModel) -> None:
    with bank_of(accepted) as bank, torch.no_grad():
        with bank.use(Routed(torch.tensor([1, 0]))):
            together = hidden_states(accepted, IDS)
        for row, adapter in enumerate((1, 0)):
            with bank.use(Routed(adapter)):
                close(together[row], hidden_states(accepted, IDS[row, None])[0])


def test_a_packed_model_is_the_model(accepted: PreTrainedModel) -> None:
    with torch.no_grad():
        close(hidden_states(unpack(pack(accepted), "cpu"), IDS), hidden_states(accepted, IDS))


def test_split_it_reads_as_whole_or_is_refused(accepted: PreTrainedModel, request: pytest.FixtureRequest) -> None:
    fault = fault_of_split(accepted, SplitPlan(1, 1))
    reason = UNSPLIT.get(request.node.callspec.params["model"])
    if reason is None:
        assert fault is None
    else:
        assert reason in str(fault)
        assert "\n" not in str(fault)


def bank_of(model: PreTrainedModel, learnt: bool = True) -> AdapterBank:
    """Two adapters of every layer that can have one, as the message says where not all can."""
    targets = targets_of(model)
    if not targets:
        pytest.skip("no adapter can be on it")
    bank = AdapterBank(model, LoraConfig(rank=2, alpha=3.0, targets=targets), width=2)
    bank.eval()
    generator = torch.Generator().manual_seed(0)
    for k in range(2 if learnt else 0):
        bank.load(k, {key: 0.1 * torch.randn(shape, generator=generator) for key, shape in bank.shapes.items()})
    return bank


@cache
def targets_of(model: PreTrainedModel) -> str:
    try:
        check_targets(model, LoraConfig(rank=2))
    except UsageError as error:
        message = str(error)
        assert "\n" not in message
        if "choose another" in message:
            assert message.endswith(UNTEACHABLE[model.config.model_type])
            return ""
        targets = message.rpartition("; set lora.targets to ")[2]
        check_targets(model, LoraConfig(rank=2, targets=targets))
        return targets
    return "all-linear"


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))
