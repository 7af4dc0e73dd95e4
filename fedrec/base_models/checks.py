"""What a base model must be able to do, tried once on made-up rows before anything is made of it.

A check is a function of a `Trial` that says in a few words what is wrong, or None. `CHECKS` is their order, so a check
may rely on those before it; whatever the model's own code raises in one is what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.config import PromptConfig
from fedrec.data.prompts import PromptEncoder, Tokens, Window, template_of
from fedrec.errors import FedrecError
from fedrec.models.base import Base
from fedrec.scoring import score_candidates, score_windows
from fedrec.tasks.like import YesOrNo

TITLES = ("The Red Storm (1987)", "Old River", "A City of Masks, Part II (2010)")
_AGREE = {"fp32": 1e-3, "bf16": 0.05}  # how far two ways of computing one probability may be apart


@dataclass(frozen=True)
class Trial:
    """A base model and the rows it is tried on.

    Attributes:
        past: a history that fills a window.
        questions: two candidates after it.
    """

    base: Base
    encoder: PromptEncoder
    past: Tokens
    questions: tuple[Tokens, Tokens]

    def alone(self) -> NDArray[np.float64]:
        """(2,) what it makes of the candidates as prompts by themselves."""
        whole = [np.array(self.past + question) for question in self.questions]
        prompts = [Window(ids, np.array([len(ids) - 1]), np.array([row])) for row, ids in enumerate(whole)]
        readout = YesOrNo(self.encoder.template.answers)
        return score_windows(self.base.model, prompts, readout, 2, precision=self.base.precision)


Check = Callable[[Trial], str | None]


def check_base(base: Base, prompt: PromptConfig, titles: Sequence[str] = TITLES) -> None:
    """Refuse a base model that cannot do what a run asks of it.

    Args:
        titles: at least one, of which the rows are made up.

    Raises:
        FedrecError: what it cannot do, in one line.
    """
    wrong = _tokens_without_embedding(base, prompt)  # first, as on a GPU such a token ends the process's use of it
    if wrong is None:
        encoder = PromptEncoder(base.tokenizer, titles, prompt, base.context)
        trial = Trial(base, encoder, _full(encoder), (encoder.question(0), encoder.question(len(titles) - 1)))
        wrong = next((said for check in CHECKS if (said := _tried(check, trial)) is not None), None)
    if wrong is not None:
        raise FedrecError(f"--base {base.source}: {wrong}; choose another base model")


def answers_prompts(trial: Trial) -> str | None:
    """The probability of an answer is a number."""
    return None if np.isfinite(trial.alone()).all() else "its answers are not numbers; are its weights whole?"


def cached_history_is_equal(trial: Trial) -> str | None:
    """Candidates after one history, which is computed once, score as prompts by themselves."""
    base, readout = trial.base, YesOrNo(trial.encoder.template.answers)
    try:
        after = score_candidates(base.model, trial.past, trial.questions, readout, precision=base.precision)
    except Exception as error:  # no cache, or one of another kind
        return f"it cannot keep a history for many candidates, as recommending needs ({_line(error)})"
    apart = float(np.abs(trial.alone() - after).max())
    if apart <= _AGREE[base.precision]:
        return None
    return f"a row after a kept history scores {apart:.3g} apart from the same row as a whole prompt"


CHECKS: tuple[Check, ...] = (answers_prompts, cached_history_is_equal)


def _tokens_without_embedding(base: Base, prompt: PromptConfig) -> str | None:
    """What text and template can become are rows of the embedding; marks that are never written do not matter."""
    rows = base.model.get_input_embeddings().weight.shape[0]
    never = {*base.tokenizer.added_tokens_decoder, *base.tokenizer.all_special_ids}
    template = template_of(base.tokenizer, prompt.instruction)
    used = {*base.tokenizer.get_vocab().values()} - never | {*template.prefix, *template.answers}
    if max(used) < rows:
        return None
    return f"its tokenizer knows {max(used) + 1} tokens, its embedding {rows}: they are not of one model"


def _full(encoder: PromptEncoder) -> Tokens:
    """A history that leaves room for one question."""
    shortest = min(len(encoder.answered(0, label)) for label in (0, 1))
    rows = encoder.length // shortest + 1
    items = [row % len(encoder.titles) for row in range(rows)]
    return encoder.past_of(items, [row % 2 for row in range(rows)])


def _tried(check: Check, trial: Trial) -> str | None:
    try:
        return check(trial)
    except Exception as error:  # the model's own code raises what it likes
        return f"it fails on a made-up row ({_line(error)})"


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
