"""A bank in use: beside other banks, in threads, in checkpoints, given wrong things, and closed."""

import copy
import gc
import threading

import pytest
import torch

from fedrec.errors import FedrecError
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed, initial_state
from tests.models.tiny import CONFIG, close, logits, merged, product, randomise, tiny_ids, tiny_model


def test_the_base_answers_outside_use_and_after_an_error():
    model = tiny_model("llama")
    before, weights = logits(model), copy.deepcopy(model.state_dict())
    bank = AdapterBank(model, CONFIG)
    randomise(bank)
    with pytest.raises(KeyError), bank.use(Routed(0)):
        assert not torch.equal(logits(model), before)
        raise KeyError
    assert torch.equal(logits(model), before)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_banks_over_one_model_add_up():
    model = tiny_model("gpt2")
    first, second = (AdapterBank(model, CONFIG) for _ in range(2))
    a, b = randomise(first, 1)[0], randomise(second, 2)[0]
    both = logits(merged(model, lambda name: product(a, name) + product(b, name)))
    one = logits(merged(model, lambda name: product(b, name)))
    with second.use(Routed(0)):
        with first.use(Routed(0)):
            close(logits(model), both)
        close(logits(model), one)


def test_threads_route_independently():
    """Threads that answer at once, each with its own bank and routing, get what they would get alone."""
    model = tiny_model("qwen2")
    banks = [AdapterBank(model, CONFIG, width=2), AdapterBank(model, CONFIG, width=2)]
    jobs = []
    for seed, bank in enumerate(banks):
        randomise(bank, seed)
        jobs += [(bank, Routed(0)), (bank, Routed(1)), (bank, Mixed(torch.tensor([0.5, 0.5]), "D"))]

    def answer(bank, routing):
        with bank.use(routing):
            return logits(model)

    alone = [answer(*job) for job in jobs]
    start, right = threading.Barrier(len(jobs)), [0] * len(jobs)

    def work(i):
        start.wait()
        right[i] = sum(torch.equal(answer(*jobs[i]), alone[i]) for _ in range(10))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [10] * len(jobs)
    assert len({answer.sum().item() for answer in alone}) == len(jobs)


def test_states_are_copies_and_zeros_say_nothing():
    model = tiny_model("gpt2")
    alone = logits(model)
    bank = AdapterBank(model, CONFIG, width=2, seed=5)
    start = initial_state(model, CONFIG, 5)
    assert all(torch.equal(bank.state(k)[key], start[key]) for k in range(2) for key in start)
    first, second = randomise(bank)
    kept = copy.deepcopy(first)
    bank.load(0, {key: torch.zeros_like(tensor) for key, tensor in first.items()})
    assert all(torch.equal(first[key], kept[key]) and first[key].is_contiguous() for key in kept)
    assert not any(tensor.any() for tensor in bank.state(0).values())
    assert all(torch.equal(bank.state(1)[key], second[key]) for key in second)
    with bank.use(Routed(0)):
        assert torch.equal(logits(model), alone)
    with bank.use(Routed(1)):
        assert not torch.equal(logits(model), alone)
    bank.load(0, second)
    with bank.use(Routed(torch.tensor([0, 1]))):
        row, same = logits(model, tiny_ids(1).repeat(2, 1))
    close(row, same)


def test_load_refuses_a_wrong_state_whole():
    bank = AdapterBank(tiny_model("llama"), CONFIG)
    state = randomise(bank)[0]
    key = "model.layers.1.mlp.up_proj.B"
    wrong = {
        "missing": {name: tensor for name, tensor in state.items() if name != key},
        "unexpected": {**state, "model.layers.9.mlp.up_proj.B": state[key]},
        r"shape \(24, 3\), expected \(24, 2\)": {**state, key: torch.zeros(24, 3)},
        "not finite": {**state, key: torch.full((24, 2), float("nan"))},
    }
    for message, bad in wrong.items():
        with pytest.raises(FedrecError, match=message) as caught:
            bank.load(0, {name: tensor + 1 for name, tensor in bad.items()})
        assert "\n" not in str(caught.value)
        assert "up_proj.B" in str(caught.value)
        assert all(torch.equal(bank.state(0)[name], state[name]) for name in state)


@pytest.mark.parametrize(
    ("routing", "error"),
    [
        (Routed(2), IndexError),
        (Routed(-1), IndexError),
        (Routed(torch.tensor([0, 2, 1])), IndexError),
        (Routed(torch.tensor([0.0, 1.0, 1.0])), ValueError),
        (Routed(torch.tensor([0, 1])), ValueError),
        (Mixed(torch.ones(3)), ValueError),
        (Mixed(torch.ones(2, 2)), ValueError),
    ],
)
@pytest.mark.parametrize("family", ["llama", "opt"])
def test_a_routing_that_does_not_fit_is_refused(family, routing, error):
    """Over a bank of two and a batch of three."""
    model = tiny_model(family)
    bank = AdapterBank(model, CONFIG, width=2)
    with pytest.raises(error), bank.use(routing):
        logits(model)
    for k in (-1, 2):
        for access in (bank.state, lambda k: bank.load(k, bank.state(0))):
            with pytest.raises(IndexError):
                access(k)


def test_a_closed_or_dropped_bank_leaves_no_trace():
    model = tiny_model("llama")
    hooks = lambda: sum(len(module._forward_hooks) for module in model.modules())  # noqa: E731
    with AdapterBank(model, CONFIG) as bank:
        state = randomise(bank)[0]
        assert hooks() == 14
    assert hooks() == 0
    with pytest.raises(RuntimeError, match="closed"), bank.use(Routed(0)):
        pass
    assert all(torch.equal(bank.state(0)[key], state[key]) for key in state)
    dropped = AdapterBank(model, CONFIG)
    with dropped.use(Routed(0)):
        logits(model)
    del dropped
    gc.collect()
    assert hooks() == 0
