"""A large catalogue's shortlist, the likeliest by one token, holds the best of the full reading."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from fedrec.config import load
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.ranking import best_unseen
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.shortlist import Stages
from fedrec.models.adapter_bank import AdapterBank
from fedrec.models.item_tokens import extended
from fedrec.scoring import prompt_windows
from fedrec.tasks.like import YesOrNo
from tests.models.tiny import VOCABULARY, randomise, tiny_model

ITEMS, WORD, FIRST = 3000, 7, 100
STAGES = Stages(whole=500, sample=300, own=900, full=200)


class Answers:
    """Items score by their vectors, and differently by a fifth of that when their titles are read."""

    def __init__(self, knows_items: bool = True) -> None:
        random = np.random.default_rng(3)
        self.vectors = random.normal(size=(ITEMS, 8)).astype(np.float32)
        self.own: NDArray[np.float64] = self.vectors @ random.normal(size=8)
        self.whole = self.own + random.normal(0, 0.2 * self.own.std(), ITEMS)
        self.knows_items = knows_items
        self.asked: list[tuple[str, int]] = []

    def token_vectors(self, _: Any, tokens: list[int]) -> NDArray[np.float32]:
        return self.vectors[np.array(tokens) - FIRST]

    def candidates(self, _: Any, questions: list[tuple[int, ...]]) -> NDArray[np.float64]:
        brief = all(len(question) == 1 for question in questions)
        self.asked.append(("own" if brief else "full", len(questions)))
        items = np.array([question[-1] for question in questions]) - FIRST
        return (self.own if brief else self.whole)[items]


ENCODER = SimpleNamespace(
    titles=[(WORD, FIRST + item) for item in range(ITEMS)],
    past_of=lambda items, labels: (WORD, *items),
    question=lambda item: (WORD, FIRST + item),
    brief=lambda item: (FIRST + item,),
)
CATALOGUE = Catalogue(tuple(map(str, range(ITEMS))), ("a title",) * ITEMS)
ROWS = cast(
    Interactions,
    SimpleNamespace(user=np.zeros(2, int), user_ids=("u",), item=np.array([5, 6]), label=np.array([1, 0])),
)


def ranked(answers: Answers, stages: Stages | None, top: int = 10) -> Any:
    return best_unseen(cast(Any, answers), cast(Any, ENCODER), CATALOGUE, ROWS, "u", top, stages)


def test_the_best_are_those_of_the_full_reading() -> None:
    staged, whole = (ranked(Answers(), stages) for stages in (STAGES, None))
    assert staged == whole
    assert (staged.candidates, staged.read_in_full) == (ITEMS - 2, STAGES.full)
    assert (whole.candidates, whole.read_in_full) == (ITEMS - 2, ITEMS - 2)


def test_each_stage_reads_as_many_as_it_says() -> None:
    answers = Answers()
    ranked(answers, STAGES)
    assert answers.asked == [("own", STAGES.sample), ("own", STAGES.own), ("full", STAGES.full)]


@pytest.mark.parametrize(("knows", "whole"), [(False, STAGES.whole), (True, ITEMS)])
def test_a_small_catalogue_and_items_without_tokens_are_read_in_full(knows: bool, whole: int) -> None:
    answers = Answers(knows)
    ranked(answers, Stages(whole=whole))
    assert answers.asked == [("full", ITEMS - 2)]


def test_no_fewer_are_read_than_are_to_be_shown() -> None:
    assert len(ranked(Answers(), STAGES, top=700)) == 700


def test_what_is_shown_has_the_score_of_its_prompt_with_the_adapters_of_two_shards() -> None:
    titles = tuple((5 + item, 6 + item % 3) for item in range(30))
    model = extended(tiny_model("llama"), titles, 4)
    config = load(None, {"lora.rank": 2, "items.rank": 4, "shards": 2, "aggregator": "average-nd"}, ())
    with AdapterBank(model, config.lora, width=2) as bank:
        adapters = dict(enumerate(randomise(bank)))
    base = cast(Any, SimpleNamespace(model=model, precision="fp32"))
    answers = ServedModel(base, config, YesOrNo((3, 4)), adapters, Judged.nobody(2))
    whole = [(*title, VOCABULARY + item) for item, title in enumerate(titles)]
    encoder = SimpleNamespace(
        titles=whole, question=whole.__getitem__, brief=lambda item: whole[item][-1:], past_of=lambda *_: (7, 8, 9)
    )
    catalogue = Catalogue(tuple(map(str, range(30))), ("a title",) * 30)
    best = best_unseen(answers, cast(Any, encoder), catalogue, ROWS, "u", 4, Stages(whole=2, sample=8, own=20, full=10))
    alone = answers.scores(prompt_windows((7, 8, 9), whole), 30)
    answers.close()
    assert (best.candidates, best.read_in_full) == (28, 10)
    assert [one.score for one in best] == pytest.approx([alone[int(one.item)] for one in best], abs=1e-6)
    assert alone.std() > 1e-3
