"""Continuations of one past, batch after batch over the same cache, score as whole prompts do."""

import numpy as np
import pytest
import torch

from fedrec.data.prompts import Window
from fedrec.models.attention import use_matmul_attention
from fedrec.models.branching import Branches, way_of
from fedrec.scoring import score_candidates, score_windows
from fedrec.tasks.like import YesOrNo
from tests.models.tiny import FAMILIES, VOCABULARY, tiny_model

ANSWERS = YesOrNo((3, 4))


def drawn(count: int, longest: int) -> list[tuple[int, ...]]:
    random = np.random.default_rng(5)
    return [tuple(random.integers(VOCABULARY, size=random.integers(1, longest + 1)).tolist()) for _ in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("way", ["shared", "laid out"])
def test_candidates_score_as_their_prompts_in_every_family(family: str, batch: int, way: str) -> None:
    model = tiny_model(family)
    if way == "shared":
        use_matmul_attention(model)
    assert way_of(model) == way
    past, questions = (7, 8, 9, 10, 11), drawn(10, 6)
    prompts = [np.array(past + question) for question in questions]
    windows = [Window(ids, np.array([len(ids) - 1]), np.array([row])) for row, ids in enumerate(prompts)]
    together = score_candidates(model, past, questions, ANSWERS, batch=batch)
    np.testing.assert_allclose(together, score_windows(model, windows, ANSWERS, len(windows)), atol=1e-6)
    assert together.std() > 1e-3


def test_no_candidates_have_no_scores() -> None:
    assert score_candidates(tiny_model("llama"), (1, 2), [], ANSWERS).shape == (0,)


def test_a_branch_is_not_remembered() -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        past = model.get_decoder()(input_ids=torch.tensor([[1, 2, 3]]), use_cache=True).past_key_values
        cache = Branches(past, rows=2, room=4).cache(2)

        def hidden(ids: list[list[int]]) -> torch.Tensor:
            return model.get_decoder()(input_ids=torch.tensor(ids), past_key_values=cache).last_hidden_state

        first = hidden([[4, 5], [6, 7]])
        hidden([[8, 9, 10, 11]])
        assert cache.get_seq_length() == 3
        torch.testing.assert_close(hidden([[4, 5], [6, 7]]), first, rtol=0, atol=0)
