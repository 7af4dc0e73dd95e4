"""Letters to whoever asked: what was decided, why, until when, and how to complain. Plain text; no person is named.

Each says who sends it and when the request was received (GDPR Art. 12(3) and (4)).
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from fedrec.reporting.formatting import clean

RIGHTS = (
    "If you think that this is wrong or incomplete, answer this letter. You may also complain to a data-protection "
    "authority, above all where you live or work or where you think the law was broken (GDPR Art. 77), and go to court (Art. 79)."
)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a letter.

    Attributes:
        sender: who is responsible for the data and where they are reached, in one line.
        received: the day on which the request reached them.
    """

    request: str
    sender: str
    received: date
    written: date


def letter(head: Head, parts: Mapping[str, Sequence[str]]) -> str:
    """A letter of titled paragraphs, each of lines."""
    lines = [
        f"From: {clean(head.sender, 300)}",
        f"Date: {head.written}",
        f"Your request for erasure {head.request}, received on {head.received}",
    ]
    return "\n".join([*lines, "", *(_paragraph(title, said) for title, said in parts.items())])


def refusal(head: Head, reason: str, complaint: str) -> str:
    """Why nothing is done, and where to complain (Art. 12(4))."""
    decided = "We do not carry out your request. Nothing was erased, and nothing of the model was changed."
    ways = f"You can complain here: {_said(complaint)}"
    return letter(head, {"What we decided": [decided], "Why": [_said(reason)], "How to complain": [ways, RIGHTS]})


def extension(head: Head, reason: str, due: date) -> str:
    """Why the answer takes longer, and until when (Art. 12(3))."""
    decided = f"We need more time to answer. You will have our answer on {due} at the latest."
    return letter(head, {"What we decided": [decided], "Why": [_said(reason)], "How to complain": [RIGHTS]})


def holding(head: Head, reason: str, due: date) -> str:
    """Why the request rests; the last day to answer stays."""
    decided = f"Your request rests for now, and is not carried out meanwhile. The last day for our answer stays {due}."
    return letter(head, {"What we decided": [decided], "Why": [_said(reason)], "How to complain": [RIGHTS]})


def cancellation(head: Head, reason: str) -> str:
    """That the request ended because it is no longer wanted."""
    decided = "Your request has ended, because we understood that it is no longer wanted. Nothing was erased."
    again = "You can ask for erasure again at any time."
    return letter(head, {"What we decided": [decided, again], "Why": [_said(reason)], "How to complain": [RIGHTS]})


def _said(text: str) -> str:
    return clean(text, 2000)


def _paragraph(title: str, lines: Sequence[str]) -> str:
    return f"{title}\n" + "".join(f"  - {line}\n" for line in lines)
