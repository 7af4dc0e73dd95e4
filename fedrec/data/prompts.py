"""A person's timeline as one token sequence: `title ask answer  title ask answer ...` in time order.

Where items have tokens of their own (`fedrec.models.item_tokens`), an item's is the last of its title.

With causal attention one forward pass answers every row, each from exactly its own past; a prompt for one row is the
same sequence with one answer position. Task `like` of TALLRec (Bao et al., arXiv 2305.00447): the answer is Yes or No.

Titles are untrusted text. Every piece is tokenised by itself, so a title cannot merge with the structure around it;
line breaks, control and direction marks, and the spelling of special tokens are taken out of it first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fedrec.errors import FedrecError

if TYPE_CHECKING:
    from fedrec.config import PromptConfig
    from fedrec.data.dataset import Interactions

Tokens = tuple[int, ...]
Rows = NDArray[np.intp]

NO, YES = 0, 1
ANSWERS = ("<no>", "<yes>")  # the embedded tokenizer's own marks
_MAX_CHARS = 300
_TOGETHER = 4096  # titles tokenised at once: a tokenizer tells so much of each that all would take gigabytes
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True)
class Template:
    """The tokens that stand around titles and answers.

    A window reads `prefix`, then for each row: title, `ask`, the answer `answers[label]`, `after[label]`.
    """

    prefix: Tokens
    ask: Tokens
    answers: tuple[int, int]
    after: tuple[Tokens, Tokens]


@dataclass(frozen=True)
class Window:
    """A stretch of one person's timeline.

    Attributes:
        ids: (t,) token ids.
        at: (k,) positions whose next token is an answer to be predicted.
        rows: (k,) the interaction rows those answers belong to.
        first: the row of the first title in it; the next title's is the next row, and so on.
    """

    ids: NDArray[np.int64]
    at: NDArray[np.int64]
    rows: Rows
    first: int = 0


def template_of(tokenizer: Any, instruction: str) -> Template:
    """The embedded tokenizer's own marks, or plain words after an instruction for any other tokenizer.

    Raises:
        FedrecError: Yes and No begin with the same token, so no score can be read off.
    """
    start: Tokens = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
    marks = [tokenizer.get_vocab().get(mark) for mark in ANSWERS]
    if None not in marks:  # they end a title by themselves: the answer is read at its last token
        return Template(start, (), (marks[NO], marks[YES]), ((), ()))
    no, yes = (_encode(tokenizer, f" {word}\n") for word in ("No", "Yes"))
    shared = 0
    while shared < min(len(no), len(yes)) and no[shared] == yes[shared]:
        shared += 1
    if shared == min(len(no), len(yes)):
        raise FedrecError("the base model's tokenizer cannot tell Yes from No: choose another --base")
    return Template(
        start + _encode(tokenizer, f"{instruction}\n"),
        _encode(tokenizer, "?") + no[:shared],
        (no[shared], yes[shared]),
        (no[shared + 1 :], yes[shared + 1 :]),
    )


def clean_title(title: str, reserved: Iterable[str] = ()) -> str:
    """One line of visible text, at most 300 characters, in which no string of `reserved` occurs; never empty."""
    return _cleaned(title, _any_of(reserved))


def _cleaned(title: str, reserved: re.Pattern[str] | None) -> str:
    text = title
    if not (title.isascii() and title.isprintable()):
        text = "".join(" " if unicodedata.category(c) in _UNSAFE else c for c in unicodedata.normalize("NFC", title))
    while reserved is not None and reserved.search(text):  # taking one out may join another
        text = reserved.sub(" ", text)
    return " ".join(text.split())[:_MAX_CHARS].strip() or "untitled"


def _any_of(reserved: Iterable[str]) -> re.Pattern[str] | None:
    marks = sorted({mark for mark in reserved if mark.strip()}, key=lambda mark: (-len(mark), mark))
    return re.compile("|".join(map(re.escape, marks)), re.IGNORECASE) if marks else None


@lru_cache(maxsize=4)
def encode_titles(tokenizer: Any, titles: tuple[str, ...], limit: int) -> tuple[Tokens, ...]:
    """Each title's tokens, at most `limit`, with no special token among them; of one catalogue made once a process."""
    added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    forbidden = set(added.values()) | set(tokenizer.all_special_ids)
    reserved, fallback = _any_of({*added, *tokenizer.all_special_tokens}), _encode(tokenizer, "untitled")
    encoded: list[Tokens] = []
    for low in range(0, len(titles), _TOGETHER):
        texts = [_cleaned(title, reserved) for title in titles[low : low + _TOGETHER]]
        for ids in tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]:
            encoded.append(tuple(i for i in ids if i not in forbidden)[:limit] or fallback)
    return tuple(encoded)


class PromptEncoder:
    """Timelines of interactions over one catalogue as windows of tokens."""

    def __init__(self, tokenizer: Any, titles: Sequence[str], config: PromptConfig, context: int) -> None:
        """
        Args:
            tokenizer: a Hugging Face tokenizer.
            titles: the catalogue's titles, by item index.
            config: window length and what of it is kept for the past.
            context: the model's longest input, in tokens.
        """
        self.template = template_of(tokenizer, config.instruction)
        self.titles = encode_titles(tokenizer, tuple(titles), config.title_tokens)
        self.length = min(config.window, context)
        self.history = config.history
        self._fit(config, context)

    def with_items(self, first: int, config: PromptConfig, context: int, of: Sequence[int] | None = None) -> Self:
        """The same with item i's own token, `first + i`, behind its title.

        Args:
            of: m items instead, each a title's; none = every title is an item.
        """
        numbered, titles = copy(self), self.titles if of is None else [self.titles[title] for title in of]
        numbered.titles = tuple((*title, first + item) for item, title in enumerate(titles))
        numbered._fit(config, context)
        return numbered

    def _fit(self, config: PromptConfig, context: int) -> None:
        """See how much of a window is left for the past.

        Raises:
            FedrecError: not even a title has room.
        """
        longest = max(map(len, self.titles), default=0) + len(self.template.ask)
        room = self.length - len(self.template.prefix)
        if room < longest and context < config.window:
            raise FedrecError(
                f"the base model reads {context} tokens at most, and its instruction with a title of {longest} takes "
                f"{self.length - room + longest}: choose another --base or lower prompt.title_tokens"
            )
        if room < longest:
            raise FedrecError(
                f"prompt.window = {self.length} is too short for a title of {longest} tokens: "
                "raise prompt.window or lower prompt.title_tokens"
            )
        self.past = min(int(config.past * room), room - longest)

    def question(self, item: int) -> Tokens:
        """The tokens of one title and what asks about it; the next token is the answer."""
        return self.titles[item] + self.template.ask

    def brief(self, item: int) -> Tokens:
        """The question without the title's words: the item's own token, where it has one, and what asks about it."""
        return self.titles[item][-1:] + self.template.ask

    def answered(self, item: int, label: int) -> Tokens:
        """A row of the past: the question with its answer."""
        return self.question(item) + (self.template.answers[label],) + self.template.after[label]

    def past_of(self, items: Sequence[int], labels: Sequence[int]) -> Tokens:
        """The prefix and the newest rows that leave room for any one question."""
        room = self.length - len(self.template.prefix) - max(map(len, self.titles)) - len(self.template.ask)
        kept: list[Tokens] = []
        limit = len(items) if self.history is None else self.history
        for item, label in zip(reversed(items), reversed(labels), strict=True):
            row = self.answered(item, label)
            if len(row) > room or len(kept) == limit:
                break
            kept.append(row)
            room -= len(row)
        return self.template.prefix + tuple(token for row in reversed(kept) for token in row)

    def windows(self, interactions: Interactions, wanted: NDArray[np.bool_]) -> list[Window]:
        """Windows in which every wanted row is answered exactly once, after its own past.

        Args:
            interactions: n rows, all of which may stand in a history; a row sees only rows before it.
            wanted: (n,) the rows to be answered.
        """
        bounds = np.searchsorted(interactions.user, np.arange(len(interactions.user_ids) + 1))
        items, labels = interactions.item.tolist(), interactions.label.tolist()
        found: list[Window] = []
        for user in np.unique(interactions.user[wanted]):
            low, high = int(bounds[user]), int(bounds[user + 1])
            found += self._of_person(items[low:high], labels[low:high], wanted[low:high].tolist(), low)
        return found

    def _of_person(self, items: list[int], labels: list[int], wanted: list[bool], offset: int) -> list[Window]:
        rows = [self.answered(item, label) for item, label in zip(items, labels, strict=True)]
        asks = [len(self.question(item)) for item in items]
        windows: list[Window] = []
        row, n = 0, len(rows)
        while (row := _next(wanted, row)) < n:
            start, end = self._span(rows, asks, row)
            ids: list[int] = list(self.template.prefix)
            at: list[int] = []
            answered: list[int] = []
            for r in range(start, end):
                if r >= row and wanted[r]:
                    at.append(len(ids) + asks[r] - 1)
                    answered.append(offset + r)
                ids += rows[r]
            ids = ids[: at[-1] + 1]  # what follows the last answer position is never read
            windows.append(Window(np.array(ids), np.array(at), np.array(answered, dtype=np.intp), offset + start))
            row = end
        return windows

    def _span(self, rows: list[Tokens], asks: list[int], first: int) -> tuple[int, int]:
        """The rows [start, end) of a window that answers row `first` and as many after it as fit."""
        if self.history is not None:
            start = max(0, first - self.history)
            room = self.length - len(self.template.prefix) - asks[first]
            while sum(map(len, rows[start:first])) > room:
                start += 1
            return start, first + 1
        start, used = first, 0
        while start > 0 and used + len(rows[start - 1]) <= self.past:
            start -= 1
            used += len(rows[start])
        room = self.length - len(self.template.prefix) - used
        end = first
        while end < len(rows) and asks[end] <= room:
            room -= len(rows[end])
            end += 1
        return start, end


def _next(wanted: list[bool], row: int) -> int:
    while row < len(wanted) and not wanted[row]:
        row += 1
    return row


def _encode(tokenizer: Any, text: str) -> Tokens:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
