"""What a base is taught by: its tokenizer, its batches, its losses, and that it learns from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fedrec.config import PromptConfig
from fedrec.data.generated import make_world
from fedrec.data.prompts import PromptEncoder, clean_title
from fedrec.data_settings import WorldConfig
from fedrec.models.pretraining import (
    Answers,
    Batch,
    answer_loss,
    language_batches,
    new_llama,
    next_token_loss,
    pretrain,
    timeline_batches,
    train_tokenizer,
)


def test_a_tokenizer_is_deterministic_lower_cased_and_loses_nothing() -> None:
    texts = ["The Séance of Kyoto (1987)", "Солярис (1972)", "冒険, again! (2001)"] * 4
    one, two = train_tokenizer(texts, 400), train_tokenizer(texts, 400)
    assert one.backend_tokenizer.to_str() == two.backend_tokenizer.to_str()
    for text in (*texts, "never seen: ÿ 🎬"):
        ids = one(text, add_special_tokens=False)["input_ids"]
        assert one.decode(ids).strip() == clean_title(text).lower()


def test_a_year_in_brackets_becomes_one_token() -> None:
    tokenizer = train_tokenizer([f"{word} (1987)" for word in ("red", "blue", "old", "new")], 400)
    assert tokenizer.tokenize("unseen (1987)")[-1] == "Ġ(1987)"
    assert tokenizer.tokenize("mask(1987")[-1] != "Ġ(1987)"


def test_language_batches_hold_every_token_once() -> None:
    documents = [[10 + number] * (number % 7 + 1) for number in range(40)]
    batches = list(language_batches(documents, 2, 16, 4, np.random.default_rng(0)))
    tokens = torch.cat([batch.ids.flatten() for batch in batches])
    for number, document in enumerate(documents):
        assert (tokens == 10 + number).sum() == len(document)
    assert (tokens == 2).sum() == len(documents)
    assert all(batch.ids.shape[1] <= 16 and (batch.weight[:, -1] == 0).all() for batch in batches)


def test_timelines_ask_every_answer_once_for_its_chance() -> None:
    world = make_world(WorldConfig(users=10, items=50, rows=5, cohort=10))
    titles = world.private.catalogue.titles
    encoder = PromptEncoder(train_tokenizer(titles, 400), titles, PromptConfig(window=64), 64)
    windows = encoder.windows(world.cohort, np.ones(len(world.cohort), bool))
    chances = (np.arange(len(world.cohort)) + 0.5) / len(world.cohort)
    batches = list(timeline_batches(windows, chances, 256, np.random.default_rng(0)))
    asked = torch.cat([batch.chance for batch in batches])
    torch.testing.assert_close(asked.sort().values, torch.from_numpy(chances).float())
    for batch in batches:
        assert batch.ids.numel() <= 256 or len(batch.ids) == 1
        for row, column, chance in zip(*batch.at, batch.chance, strict=True):
            question = encoder.question(int(world.cohort.item[int(chance * len(chances))]))
            assert batch.ids[row, column + 1 - len(question) : column + 1].tolist() == list(question)


def test_the_loss_is_the_weighted_mean_and_ignores_padding() -> None:
    model = new_llama(40, 64, 1, 32, 0)
    ids = torch.randint(6, 40, (2, 6), generator=torch.Generator().manual_seed(0))
    weight = torch.tensor([[1.0, 0, 0.5, 0, 0, 0], [0, 2.0, 0, 0, 0, 0]])
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=ids).logits, -1)
        wanted = -(logs[0, 0, ids[0, 1]] + 0.5 * logs[0, 2, ids[0, 3]] + 2 * logs[1, 1, ids[1, 2]]) / 3.5
        padded = Batch(torch.nn.functional.pad(ids, (0, 4)), torch.nn.functional.pad(weight, (0, 4)))
        torch.testing.assert_close(next_token_loss(model, Batch(ids, weight)), wanted)
        torch.testing.assert_close(next_token_loss(model, padded), wanted)


def test_an_answer_is_predicted_among_answers_alone() -> None:
    model = new_llama(40, 64, 1, 32, 0)
    batch = Answers(
        torch.tensor([[9, 10, 4, 11], [12, 0, 0, 0]]), (torch.tensor([0, 0, 1]), torch.tensor([1, 3, 0])),
        torch.tensor([0.2, 0.7, 1.0]),
    )  # fmt: skip
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=batch.ids).logits[batch.at][:, [4, 5]], -1)
        wanted = -(logs[:, 1] * batch.chance + logs[:, 0] * (1 - batch.chance)).mean()
        torch.testing.assert_close(answer_loss((4, 5))(model, batch), wanted)


def test_pretraining_learns_and_tells_each_step() -> None:
    model = new_llama(40, 64, 1, 32, 0)
    ids = torch.arange(6, 36).repeat(2, 1)
    batch = Batch(ids, torch.cat([torch.ones(2, 29), torch.zeros(2, 1)], 1))
    told: list[float] = []
    losses = pretrain(model, [batch] * 40, next_token_loss, 3e-3, told.append)
    assert told == losses
    assert len(losses) == 40
    assert losses[-1] < 0.5 * losses[0]
    assert not model.training


def test_words_a_model_never_read_lie_apart() -> None:
    vectors = new_llama(400, 128, 1, 32, 0).get_input_embeddings().weight[10:].detach()
    cosines = torch.nn.functional.normalize(vectors) @ torch.nn.functional.normalize(vectors).T
    assert vectors.norm(dim=1).mean() == pytest.approx(1, abs=0.05)
    assert (cosines - torch.eye(390)).abs().max() < 0.6
