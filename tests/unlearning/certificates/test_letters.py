"""Every letter says who sends it, when the request came, why, and how to complain; and names nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from fedrec.console.visible import visible
from unlearning.certificates.documents import Head, letter

HEAD = Head("11111111-2222-4333-8444-555555555555", "Films Ltd, 1 High St, dpo@films.example", date(2026, 1, 31),
            date(2026, 2, 3))  # fmt: skip
DUE = date(2026, 4, 30)
Write = Callable[[Head, str], str]
LETTERS: dict[str, tuple[Write, tuple[str, ...]]] = {
    "refusal": (
        lambda head, reason: letter("refused", head, reason, complaint="the authority of the land"),
        ("do not carry out", "Nothing was erased", "the authority of the land"),
    ),
    "extension": (lambda head, reason: letter("extended", head, reason, DUE), ("more time", "2026-04-30")),
    "holding": (
        lambda head, reason: letter("held", head, reason, DUE),
        ("not carried out meanwhile", "stays 2026-04-30"),
    ),
    "cancellation": (
        lambda head, reason: letter("cancelled", head, reason, DUE),
        ("no longer wanted", "Nothing was erased", "again at any time"),
    ),
}


@pytest.mark.parametrize(("write", "words"), LETTERS.values(), ids=LETTERS)
def test_every_letter_says_what_the_law_asks_for(write: Write, words: tuple[str, ...]) -> None:
    text = write(HEAD, "the accounts are still being settled")
    head, _, body = text.partition("\n\n")
    assert HEAD.sender in head and "received on 2026-01-31" in head and HEAD.request in head and "2026-02-03" in head
    assert "the accounts are still being settled" in body and "Art. 77" in body and "Art. 79" in body
    assert all(word in body for word in words)
    assert "forgotten" not in text and "`" not in text


@pytest.mark.parametrize("write", [write for write, _ in LETTERS.values()], ids=LETTERS)
def test_a_reason_cannot_break_out_of_its_line(write: Write) -> None:
    reason = "one\n\nWhat we decided\n  - All was erased\x1b[2J \u202eback"
    text = write(HEAD, reason)
    assert visible(text) == text
    assert len(text.splitlines()) == len(write(HEAD, "one").splitlines())
