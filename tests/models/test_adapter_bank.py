"""The bank against PEFT, against merged weights, and against itself."""

import copy

import hypothesis.strategies as st
import peft
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from fedrec.config import LoraConfig
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed
from tests.models.tiny import CONFIG, FAMILIES, SCALE, close, logits, merged, product, randomise, tiny_ids, tiny_model

every_family = pytest.mark.parametrize("family", FAMILIES)


@every_family
@pytest.mark.parametrize("width", [1, 2])
def test_one_adapter_is_pefts(family, width):
    """Logits, and the gradients of A and B, of adapter 0 equal those of PEFT with the same numbers."""
    model = tiny_model(family)
    theirs = peft.get_peft_model(
        copy.deepcopy(model),
        peft.LoraConfig(
            r=2, lora_alpha=3, target_modules="all-linear", task_type="CAUSAL_LM", fan_in_fan_out=family == "gpt2"
        ),
    )
    bank = AdapterBank(model, CONFIG, width=width)
    state = randomise(bank)[0]
    weights = {f"base_model.model.{key[:-2]}.lora_{key[-1]}.weight": tensor for key, tensor in state.items()}
    assert not peft.set_peft_model_state_dict(theirs, weights).unexpected_keys

    ids = tiny_ids()
    with bank.use(Routed(0)):
        ours = model(ids, labels=ids)
    expected = theirs(ids, labels=ids)
    close(ours.logits, expected.logits)
    assert (ours.logits - logits(model)).abs().max() > 0.1

    ours.loss.backward()
    expected.loss.backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters() if parameter.requires_grad}
    assert len(gradients) == len(state)
    for (name, stack), shape in zip(bank.named_layers(), bank.layers.values(), strict=True):
        assert (stack.A.shape[2], stack.B.shape[2]) == shape
        close(stack.A.grad[0], gradients[f"base_model.model.{name}.lora_A.default.weight"])
        close(stack.B.grad[0].T, gradients[f"base_model.model.{name}.lora_B.default.weight"])
    assert all(parameter.grad is None for parameter in model.parameters())


@every_family
def test_each_routed_row_is_its_adapter_alone(family):
    model = tiny_model(family)
    bank = AdapterBank(model, CONFIG, width=3)
    randomise(bank)
    index = torch.tensor([2, 0, 2])
    with bank.use(Routed(index)):
        together = logits(model)
    for row, k in enumerate(index.tolist()):
        with bank.use(Routed(k)):
            close(together[row], logits(model, tiny_ids()[row : row + 1])[0])
    assert (together[0] - logits(model)[0]).abs().max() > 0.1


@every_family
@pytest.mark.parametrize("form", ["ND", "D"])
def test_a_mixture_is_the_model_with_mixed_weights(family, form):
    """Shared weights, and weights per row, equal the explicitly merged matrices (algorithms.md 2.3)."""
    model = tiny_model(family)
    bank = AdapterBank(model, CONFIG, width=3)
    states = randomise(bank)
    weights = torch.tensor([[0.5, 0.3, 0.2], [0.0, 1.5, -0.5], [1.0, 0.0, 0.0]])

    def change(w, name):
        if form == "ND":
            return sum(w[k] * product(states[k], name) for k in range(3))
        a, b = (sum(w[k] * states[k][f"{name}.{part}"] for k in range(3)) for part in "AB")
        return SCALE * b @ a

    expected = [logits(merged(model, lambda name, w=w: change(w, name))) for w in weights]
    with bank.use(Mixed(weights, form)):
        close(logits(model), torch.stack([expected[row][row] for row in range(3)]))
    with bank.use(Mixed(weights[0], form)):
        close(logits(model), expected[0])


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 4), rows=st.integers(1, 4), form=st.sampled_from(["ND", "D"]), seed=st.integers(0, 2**31 - 1)
)
def test_one_hot_mixture_is_routing(width, rows, form, seed):
    """Whatever the sizes: one-hot weights select an adapter, in outputs and in gradients."""
    layers = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    bank = AdapterBank(layers, CONFIG, width=width)
    randomise(bank, seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 2, 5, generator=generator)
    index = torch.randint(width, (rows,), generator=generator)
    outcomes = []
    for routing in (Routed(index), Mixed(torch.eye(width)[index], form)):
        bank.zero_grad()
        with bank.use(routing):
            y = layers(x)
        y.square().sum().backward()
        outcomes.append((y, [parameter.grad.clone() for parameter in bank.parameters()]))
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=1e-4, atol=1e-4)


@every_family
def test_gradients_reach_only_the_routed_adapters(family):
    model = tiny_model(family)
    bank = AdapterBank(model, CONFIG, width=4)
    randomise(bank)
    for routing, used in ((Routed(torch.tensor([3, 1, 1])), [1, 3]), (Routed(2), [2])):
        bank.zero_grad()
        with bank.use(routing):
            model(tiny_ids()).logits.square().sum().backward()
        for parameter in bank.parameters():
            assert parameter.grad.flatten(1).abs().sum(1).nonzero().flatten().tolist() == used
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_rows_gradients_repeat_bit_for_bit():
    """Many rows of one adapter, summed on several threads, add up in a fixed order (plain indexing does not)."""
    layer = nn.Sequential(nn.Linear(256, 256))
    bank = AdapterBank(layer, LoraConfig(rank=16), width=2)
    randomise(bank)
    x = torch.randn(64, 2, 256, generator=torch.Generator().manual_seed(0))
    threads, seen = torch.get_num_threads(), []
    torch.set_num_threads(4)
    for _ in range(8):
        bank.zero_grad()
        with bank.use(Routed(torch.arange(64) % 2)):
            layer(x).square().sum().backward()
        seen.append([parameter.grad.clone() for parameter in bank.parameters()])
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for again in seen[1:] for a, b in zip(seen[0], again, strict=True))


@pytest.mark.parametrize("routing", [Routed(1), Routed(torch.tensor([0, 1, 1])), Mixed(torch.tensor([0.4, 0.6]))])
def test_autocast_keeps_the_layers_precision(routing):
    model = tiny_model("llama")
    bank = AdapterBank(model, CONFIG, width=2)
    randomise(bank)
    with bank.use(routing):
        exact = logits(model)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(tiny_ids()).logits
        half = copy.deepcopy(model).bfloat16()
    assert rounded.dtype == torch.bfloat16
    assert (rounded - exact).norm() < 0.05 * exact.norm()
    rounded.float().square().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 and parameter.grad.any() for parameter in bank.parameters())
    bank = AdapterBank(half, CONFIG, width=2)  # a base kept in bf16, without autocast
    randomise(bank)
    with bank.use(routing):
        assert (logits(half) - exact).norm() < 0.05 * exact.norm()
        assert logits(half).dtype == torch.bfloat16


def test_dropout_acts_in_the_banks_train_mode_only():
    model = tiny_model("llama")
    bank = AdapterBank(model, LoraConfig(rank=2, alpha=3.0, dropout=0.5))
    randomise(bank)
    with bank.use(Routed(0)):
        assert not torch.equal(logits(model), logits(model))
        bank.eval()
        assert torch.equal(logits(model), logits(model))


@every_family
def test_a_copy_of_chosen_adapters_is_those_adapters(family):
    model = tiny_model(family)
    bank, copied = AdapterBank(model, CONFIG, width=4), AdapterBank(model, CONFIG, width=2)
    randomise(bank)
    copied.copy(bank, (3, 1))
    for k, chosen in enumerate((3, 1)):
        mine, theirs = copied.state(k), bank.state(chosen)
        assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
