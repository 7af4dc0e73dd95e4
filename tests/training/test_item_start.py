"""Where item rows begin, and that no title tells the answer that is asked: what a row taught of it is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fedrec.config import LoraConfig, TrainConfig
from fedrec.data.prompts import Window
from fedrec.data.title_effects import title_effects
from fedrec.models.adapter_bank import AdapterBank, Routed, initial_state, state_hash
from fedrec.models.item_tokens import extended
from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, ROWS
from fedrec.tasks.like import YesOrNo
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson, Validation
from fedrec.training.loop import train
from fedrec.training.step import LEFT_OUT, Learning
from fedrec.training.stopping import Stopping
from tests.models.tiny import VOCABULARY, tiny_model

LORA = LoraConfig(rank=2)
CONFIG = TrainConfig(
    lr=1e-2, item_lr=0.1, epochs=2, batch=3, warmup=0, precision="fp32", device="cpu", checkpoint_seconds=0
)
ITEMS = 12
MODEL = extended(tiny_model("llama"), tuple((3 + item, 20) for item in range(ITEMS)), 3)
START = initial_state(MODEL, LORA, 0)

Timelines = Mapping[str, Sequence[tuple[int, int]]]


def people(count: int = 9) -> dict[str, list[tuple[int, int]]]:
    """Each person's titles, of the first ten, and answers."""
    random = np.random.default_rng(1)
    return {
        f"u{person}": [(int(item), int(random.random() < 0.3 + 0.05 * item)) for item in random.permutation(10)[:6]]
        for person in range(count)
    }


def lesson(timelines: Timelines, gone: Sequence[str] = (), **changes: Any) -> Lesson:
    """A window a person: the first two rows are the past, the others asked. Those who are gone still have rows."""
    windows, labels, users = [], [], []
    for number, (person, rows) in enumerate(timelines.items()):
        ids = [token for item, label in rows for token in (7, VOCABULARY + item, 1 + label)][:-1]
        asked, first = np.arange(2, len(rows)), len(labels)
        labels += [label for _, label in rows]
        users += [number] * len(rows)
        if person not in gone:
            windows.append(Window(np.array(ids), 3 * asked + 1, first + asked, first))
    whole = Lesson(windows, np.array(labels, np.int8), np.array(users, np.int32), YesOrNo((1, 2)), (1, "a", 0, 1), 0, 4)
    return replace(whole, **changes)


def learning(told: Lesson, **settings: Any) -> Learning:
    random = torch.Generator().manual_seed(5)
    start = {name: tensor + 0.1 * torch.randn(tensor.shape, generator=random) for name, tensor in START.items()}
    rows = {ITEMS_A: 0.1 * torch.randn(10, 3, generator=random), ROWS: torch.arange(10, dtype=torch.int32)}
    start |= {ITEMS_B: START[ITEMS_B], **rows}
    return Learning(MODEL, LORA, start, told, CONFIG.model_copy(update=settings))


def effects(told: Lesson, prior: float) -> tuple[np.ndarray, np.ndarray]:
    asked = np.concatenate([window.rows for window in told.windows])
    items = np.array([item for rows in people().values() for item, _ in rows])
    _, person = np.unique(told.users[asked], return_inverse=True)
    found, own = title_effects(person, items[asked], told.labels[asked] == 1, ITEMS, prior), np.zeros(len(items))
    own[asked] = found.own
    return found.effect, own


@pytest.mark.parametrize("round_, clients, shards", [(0, 1, 1), (3, 1, 4), (0, 3, 2)])
def test_rows_begin_with_their_titles_effects(round_: int, clients: int, shards: int) -> None:
    """Whoever learns alone has them of these answers each time, whatever it starts with."""
    told = learning(lesson(people(), round=round_, clients=clients, shards=shards), item_prior=2.0)
    begun = with_item_rows(told)
    effect, own = effects(told.lesson, 2.0 / (clients * shards))
    rows = begun.start[ITEMS_A]
    assert begun.start[ROWS].tolist() == list(range(10)), "nobody has met the others"
    np.testing.assert_allclose(rows[:, 0], effect[:10], rtol=1e-6)
    assert torch.equal(rows[:, 1:], told.start[ITEMS_A][:, 1:])
    assert all(torch.equal(begun.start[name], told.start[name]) for name in told.start if name != ITEMS_A)
    nothing = with_item_rows(replace(told, start=START)).start
    np.testing.assert_array_equal(nothing[ITEMS_A][:, 0], rows[:, 0])
    assert nothing[ROWS].tolist() == list(range(10)) and not nothing[ITEMS_A][:, 1:].any()
    assert begun.own is not None
    np.testing.assert_allclose(begun.own, own, rtol=1e-6)
    assert not begun.own[::6].any()  # the past is not asked


def test_what_has_no_titles_effects_is_left_alone() -> None:
    told = lesson(people())
    several = learning(replace(told, readout=YesOrNo((1, 2, 3))))  # type: ignore[arg-type]
    nothing = learning(replace(told, windows=[]))
    plain = tiny_model("llama")
    words = Learning(plain, LORA, initial_state(plain, LORA, 0), told, CONFIG)
    for each in (several, nothing, words):
        assert with_item_rows(each) is each


def test_without_a_person_all_is_as_if_they_had_never_been() -> None:
    everybody = people()
    never = {name: rows for name, rows in everybody.items() if name != "u4"}
    knew, forgot, new = (
        state_hash(train(with_item_rows(learning(told))).state)
        for told in (lesson(everybody), lesson(everybody, gone=["u4"]), lesson(never))
    )
    assert forgot == new != knew


def test_an_answer_is_asked_without_its_own_share() -> None:
    """As each window by itself over rows of items that had the shares of its own rows taken off."""
    begun = with_item_rows(learning(lesson(people())))
    batch = list(begun.lesson.windows[:4])
    batch[1] = replace(batch[1], ids=batch[1].ids[:8], at=batch[1].at[:1], rows=batch[1].rows[:1])  # a shorter one
    assert begun.own is not None
    with AdapterBank(MODEL, LORA, items=begun.items) as bank:
        bank.load(0, begun.start)
        together = begun.loss(batch, bank, Routed(0), each=True)
        together.sum().backward()
        gradients = [parameter.grad.clone() for parameter in bank.parameters() if parameter.grad is not None]
        bank.zero_grad(set_to_none=True)
        alone = []
        for window in batch:
            rows, items = begun.start[ITEMS_A].clone(), window.ids[window.ids >= VOCABULARY] - VOCABULARY
            rows[items, 0] -= LEFT_OUT * torch.from_numpy(begun.own[window.first : window.first + len(items)])
            bank.load(0, {**begun.start, ITEMS_A: rows})
            alone.append(replace(begun, own=None).loss([window], bank, Routed(0), each=True))
            alone[-1].sum().backward()
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)
        wanted = [parameter.grad for parameter in bank.parameters() if parameter.grad is not None]
        torch.testing.assert_close(gradients, wanted, rtol=1e-3, atol=1e-4)
        bank.load(0, begun.start)
        told = replace(begun, own=None).loss(batch, bank, Routed(0), each=True)
        assert (told - together).abs().max() > 1e-3


def test_who_looks_at_validation_rows_leaves_nothing_out() -> None:
    told = lesson(people())
    validated = replace(told, validation=Validation(told.windows[:2], told.labels))
    assert Stopping(with_item_rows(learning(validated))).exam.own is None
