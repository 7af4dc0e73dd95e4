"""Titles rewritten so that a model recommends them, and what undoes that without a second model. Pure functions.

The rewritings are those of the tutorials on language models that recommend: words swapped, letters misspelt or replaced
by such that look alike, persuasive words, and the name of a title that people like.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches

import numpy as np

_ALIKE = str.maketrans("aeopcyxiABEHKMOPCTX", "аеорсухіАВЕНКМОРСТХ")
_LATIN = str.maketrans("аеорсухіАВЕНКМОРСТХ", "aeopcyxiABEHKMOPCTX")
_PRAISE = ", the award-winning favourite that everybody loves, best of the year"
_LONGEST = 0.9  # quantile of the catalogue's words in a title
_SIMILAR = 0.8

Rewriting = Callable[[str, str], str]
"""Of a title, and of another that many like."""


def _swapped(title: str, liked: str) -> str:
    return " ".join(reversed(title.split()))


def _misspelt(title: str, liked: str) -> str:
    return " ".join(word[0] + word[2] + word[1] + word[3:] if len(word) > 3 else word for word in title.split())


def _look_alike(title: str, liked: str) -> str:
    return title.translate(_ALIKE)


def _persuasive(title: str, liked: str) -> str:
    return title + _PRAISE


def _dressed(title: str, liked: str) -> str:
    return f"{liked} {title}"


REWRITINGS: Mapping[str, Rewriting] = {
    "words swapped": _swapped,
    "letters swapped": _misspelt,
    "letters that look alike": _look_alike,
    "persuasive words": _persuasive,
    "a liked title put before": _dressed,
}


def normalised(title: str, words: Collection[str]) -> str:
    """One spelling for what looks alike: compatible forms (NFKC), Latin letters, no marks without a letter; and a word
    that is unknown becomes the known one that is most like it, where one is.

    Args:
        words: known ones, those of the catalogue's other titles.
    """
    text = unicodedata.normalize("NFKC", title).translate(_LATIN)
    visible = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Cc", "Mn"))
    return " ".join(
        word if word in words else next(iter(get_close_matches(word, words, 1, _SIMILAR)), word)
        for word in visible.split()
    )


def longest(titles: Sequence[str]) -> int:
    """Words in a title that nine of ten titles have at most."""
    return int(np.quantile([len(title.split()) for title in titles], _LONGEST)) if titles else 0


def cut(title: str, words: int) -> str:
    """The title's first words."""
    return " ".join(title.split()[: max(1, words)])
