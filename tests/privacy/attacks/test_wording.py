"""Titles written anew: each rewriting changes what is read, and defences bring back what they are to bring back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.privacy.attacks.wording import REWRITINGS, cut, longest, normalised

TITLE, LIKED = "The Silent River", "Golden Harbour"
WORDS = {"The", "Silent", "River", "Night"}


@pytest.mark.parametrize("name", REWRITINGS)
def test_every_rewriting_changes_the_title(name: str) -> None:
    assert REWRITINGS[name](TITLE, LIKED) not in (TITLE, "")


def test_look_alikes_and_slips_are_spelt_as_known() -> None:
    for name in ("letters swapped", "letters that look alike"):
        assert normalised(REWRITINGS[name](TITLE, LIKED), WORDS) == TITLE
    assert normalised("Ｔhe Sil\u200bent", WORDS) == "The Silent"


def test_a_bound_of_words_takes_off_praise() -> None:
    assert cut(REWRITINGS["persuasive words"](TITLE, LIKED), longest([TITLE] * 9)) == "The Silent River,"
    assert longest([]) == 0


@settings(max_examples=20)
@given(st.text(max_size=60), st.integers(0, 9))
def test_defences_take_any_text(text: str, words: int) -> None:
    assert len(cut(text, words).split()) <= max(1, words)
    normalised(text, WORDS)
