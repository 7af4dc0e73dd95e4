"""Item tokens: the extended base, and what adapters add to it, against explicit embeddings, PEFT and itself."""

import copy

import peft
import pytest
import torch

from fedrec.errors import FedrecError
from fedrec.models import item_tokens as module
from fedrec.models.adapter import initial_state, state_hash, state_shapes
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed
from fedrec.models.base import Base, pack, unpack
from fedrec.models.body import hidden_states
from fedrec.models.item_rows import learnt_items
from fedrec.models.item_tokens import Items, content_rows, extended, fault_of, item_tokens, with_items
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS
from tests.models.families import family
from tests.models.tiny import CONFIG, FAMILIES, VOCABULARY, close, logits, merged, product, randomise, tiny_model

TITLES = ((3, 4), (5,), (6, 7, 8), (9, 9, 3, 1), (10,))
RANK = 3

every_family = pytest.mark.parametrize("family", FAMILIES)


def with_titles(family):
    return extended(tiny_model(family), TITLES, RANK)


def item_ids(rows=3):
    """(rows, 8) words, with items among them."""
    ids = torch.randint(VOCABULARY, (rows, 8), generator=torch.Generator().manual_seed(1))
    ids[:, 2] = VOCABULARY + torch.arange(rows) % len(TITLES)
    ids[:, 5] = VOCABULARY + (torch.arange(rows) + 2) % len(TITLES)
    return ids


def merged_items(model, rows, change=None):
    """A copy of the model with rows (items, d) added to its item tokens, and `change` to its layers."""
    twin = copy.deepcopy(model) if change is None else merged(model, change)
    embedding = twin.get_input_embeddings()
    embedding.weight = torch.nn.Parameter(embedding.weight.detach().clone(), requires_grad=False)
    embedding.weight[VOCABULARY:] += rows
    return twin


@every_family
def test_words_read_as_before_and_items_as_their_titles(family):
    model, whole = tiny_model(family), with_titles(family)
    words = item_ids().clamp(max=VOCABULARY - 1)
    close(logits(whole, words)[..., :VOCABULARY], logits(model, words))
    weight = model.get_input_embeddings().weight
    rows = whole.get_input_embeddings().weight[VOCABULARY:]
    assert rows.shape == (len(TITLES), weight.shape[1])
    length = weight.norm(dim=1).median()
    for row, title in zip(rows, TITLES, strict=True):
        mean = weight[list(title)].mean(0)
        close(row, mean / mean.norm() * length)
    noted = item_tokens(whole)
    assert (noted.first, noted.count, noted.rank, noted.width) == (VOCABULARY, len(TITLES), RANK, weight.shape[1])
    assert item_tokens(model) is None


def test_the_extended_model_has_no_weights_of_its_own_but_the_embedding():
    model = tiny_model("llama")
    whole = extended(model, TITLES, RANK)
    own = {
        name for name, tensor in whole.state_dict().items() if tensor.data_ptr() != model.state_dict()[name].data_ptr()
    }
    assert own == {"model.embed_tokens.weight", "lm_head.weight"}
    assert whole.lm_head.weight.data_ptr() == whole.model.embed_tokens.weight.data_ptr()


def test_a_new_adapter_changes_nothing_and_has_rows():
    model = with_titles("llama")
    state = initial_state(model, CONFIG, 1)
    shapes = {**state_shapes(model, CONFIG), ITEMS_A: (0, RANK), ROWS: (0,)}
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == shapes
    assert state_shapes(model, CONFIG)[ITEMS_A] == (len(TITLES), RANK)
    assert state[ITEMS_B].norm() > 0
    with AdapterBank(model, CONFIG, seed=1) as bank:
        assert all(torch.equal(bank.state(0)[key], state[key]) for key in state)
        plain = logits(model, item_ids())
        with bank.use(Routed(0)):
            close(logits(model, item_ids()), plain)


@every_family
@pytest.mark.parametrize("width", [1, 2])
def test_one_adapter_is_the_model_with_merged_rows(family, width):
    model = with_titles(family)
    bank = AdapterBank(model, CONFIG, width=width)
    state, noted = randomise(bank)[0], item_tokens(model)
    twin = merged_items(model, noted.scale * state[ITEMS_A] @ state[ITEMS_B], lambda name: product(state, name))
    with bank.use(Routed(0)):
        ours = logits(model, item_ids())
    close(ours[..., :VOCABULARY], logits(twin, item_ids())[..., :VOCABULARY])


@every_family
def test_each_routed_row_is_its_adapter_alone(family):
    model = with_titles(family)
    bank = AdapterBank(model, CONFIG, width=3)
    randomise(bank)
    with bank.use(Routed(torch.tensor([2, 0, 2]))):
        together = logits(model, item_ids())
    for row, k in enumerate([2, 0, 2]):
        with bank.use(Routed(k)):
            close(together[row], logits(model, item_ids()[row : row + 1])[0])


@every_family
@pytest.mark.parametrize("form", ["ND", "D"])
@pytest.mark.parametrize("by_row", [False, True])
def test_a_mixture_is_the_model_with_mixed_rows(family, form, by_row):
    model = with_titles(family)
    bank = AdapterBank(model, CONFIG, width=3)
    states = randomise(bank)
    weights = torch.rand(3, 3, generator=torch.Generator().manual_seed(3)) if by_row else torch.tensor([0.2, 0.5, 0.4])
    with bank.use(Mixed(weights, form)):
        ours = logits(model, item_ids())
    for row in range(3):
        w = weights[row] if by_row else weights

        def mix(left, right, w=w):
            if form == "ND":
                return sum(w[k] * left(s) @ right(s) for k, s in enumerate(states))
            return sum(w[k] * left(s) for k, s in enumerate(states)) @ sum(
                w[k] * right(s) for k, s in enumerate(states)
            )

        rows = item_tokens(model).scale * mix(lambda s: s[ITEMS_A], lambda s: s[ITEMS_B])
        twin = merged_items(
            model, rows, lambda name, mix=mix: 1.5 * mix(lambda s: s[f"{name}.B"], lambda s: s[f"{name}.A"])
        )
        close(ours[row, :, :VOCABULARY], logits(twin, item_ids()[row : row + 1])[0, :, :VOCABULARY])


def test_a_bank_of_some_items_is_the_whole_one_where_only_those_are_read():
    model = with_titles("llama")
    whole, part = AdapterBank(model, CONFIG), AdapterBank(model, CONFIG, items=torch.tensor([0, 2, 3, 4]))
    state = randomise(whole)[0]
    part.load(0, state)
    ids = item_ids().masked_fill(item_ids() == VOCABULARY + 1, VOCABULARY)
    losses = []
    for bank in (whole, part):
        with bank.use(Routed(0)):
            losses.append(model(ids, labels=ids).loss)
        losses[-1].backward()
    close(*losses)
    close(part.items.A.grad[0], whole.items.A.grad[0, [0, 2, 3, 4]])
    close(part.items.B.grad, whole.items.B.grad)
    assert not whole.items.A.grad[0, 1].any()
    with torch.no_grad():
        part.items.A += 1
    changed = part.state(0)
    assert torch.equal(changed[ROWS], state[ROWS])
    close(changed[ITEMS_A][1], state[ITEMS_A][1])
    close(changed[ITEMS_A][2], state[ITEMS_A][2] + 1)


@every_family
@pytest.mark.parametrize("routing", [Routed(1), Routed(torch.tensor([2, 0, 1])), Mixed(torch.tensor([0.2, 0.5, 0.4]))])
def test_adapters_that_have_few_rows_answer_as_in_a_bank_of_all(family, routing):
    model = with_titles(family)
    whole = AdapterBank(model, CONFIG, width=3)
    few = [with_few(state, rows) for state, rows in zip(randomise(whole), ([], [1, 3], [0]), strict=True)]
    part = AdapterBank(model, CONFIG, width=3, items=learnt_items(few))
    for k, state in enumerate(few):
        whole.load(k, state)
        part.load(k, state)
    assert part.items.A.shape == (3, 3, RANK)
    read = []
    for bank in (whole, part):
        assert [state_hash(bank.state(k)) for k in range(3)] == [state_hash(state) for state in few]
        with bank.use(routing):
            read.append(logits(model, item_ids()))
    assert torch.equal(*read)
    left = AdapterBank(model, CONFIG, width=2, items=learnt_items(few))
    left.copy(part, [2, 1])
    assert [state_hash(left.state(k)) for k in range(2)] == [state_hash(few[k]) for k in (2, 1)]


def with_few(state, rows):
    return {**state, ROWS: torch.tensor(rows, dtype=torch.int32), ITEMS_A: state[ITEMS_A][rows]}


@every_family
def test_one_adapter_is_pefts(family):
    model = with_titles(family)
    noted = item_tokens(model)
    bank = AdapterBank(model, CONFIG)
    state = randomise(bank)[0]
    theirs = peft.get_peft_model(
        copy.deepcopy(model),
        peft.LoraConfig(
            r=2, lora_alpha=3, target_modules=[*bank.layers, noted.layer], task_type="CAUSAL_LM",
            rank_pattern={noted.layer: RANK}, alpha_pattern={noted.layer: RANK * noted.scale},
            fan_in_fan_out=family == "gpt2",
        ),
    )  # fmt: skip
    prefix = "base_model.model."
    weights = {
        f"{prefix}{key[:-2]}.lora_{key[-1]}.weight": tensor for key, tensor in state.items() if "items" not in key
    }
    a = torch.zeros(VOCABULARY + len(TITLES), RANK)
    a[VOCABULARY:] = state[ITEMS_A]
    weights |= {
        f"{prefix}{noted.layer}.lora_embedding_A": a.T.contiguous(),
        f"{prefix}{noted.layer}.lora_embedding_B": state[ITEMS_B].T.contiguous(),
    }
    assert not peft.set_peft_model_state_dict(theirs, weights).unexpected_keys
    with bank.use(Routed(0)):
        ours = logits(model, item_ids())
    close(ours[..., :VOCABULARY], logits(theirs, item_ids())[..., :VOCABULARY])


def test_content_rows_of_many_titles_are_those_of_each():
    weight = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    titles = tuple((i % 20, (i * 7) % 20) for i in range(3000))
    rows = content_rows(weight, titles, 2.0)
    close(rows[2999], content_rows(weight, titles[2999:], 2.0)[0])
    close(rows.norm(dim=1), torch.full((3000,), 2.0))


def test_a_packed_model_keeps_its_items():
    """As other processes get it."""
    model = with_titles("qwen2")
    again = unpack(pack(model), "cpu")
    assert item_tokens(again) == item_tokens(model)
    close(logits(again, item_ids()), logits(model, item_ids()))
    assert state_shapes(again, CONFIG) == state_shapes(model, CONFIG)


@pytest.mark.parametrize("name", ["bloom", "cohere2", "gpt_neox", "mpt", "olmo", "roberta", "starcoder2"])
def test_other_families_have_items_and_learn_their_rows(name):
    """Heads with a bias or tied by another name, logits that are scaled, positions that are learnt."""
    model = family(name)
    whole = extended(model, TITLES, RANK)
    assert fault_of(whole, model) is None
    ids = torch.tensor([[3, item_tokens(whole).first + 1, 4]])
    with AdapterBank(whole, CONFIG) as bank:
        before = hidden_states(whole, ids)
        bank.items.A.data.normal_(generator=torch.Generator().manual_seed(0))
        with bank.use(Routed(0)):
            after = hidden_states(whole, ids)
        assert (after - before).abs().max() > 1e-4
        (after * torch.linspace(-1, 1, after.numel()).cos().view(after.shape)).sum().backward()
        assert bank.items.A.grad[0].abs().sum(1).nonzero().ravel().tolist() == [1]


@pytest.mark.parametrize("name", ["gemma4_text", "mllama"])
def test_a_base_that_cannot_have_items_is_refused_in_a_line(name, monkeypatch):
    """It has other tables of its vocabulary, which the layers read."""
    monkeypatch.setattr(module, "encode_titles", lambda *_: TITLES)
    base = Base(name, name, None, family(name), None, 64, "fp32")
    with pytest.raises(FedrecError, match=r"cannot have tokens for items \(.+\); set items.rank = 0") as caught:
        with_items(base, Items(("a",) * len(TITLES), RANK, 8))
    assert "\n" not in str(caught.value)
