"""Probabilities of Yes: at every answer position of whole timelines, or for many candidates after one history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedrec.data.prompts import Tokens, Window
from fedrec.hardware import autocast
from fedrec.models.bank import AdapterBank, Routing
from fedrec.models.base import answer_logits, hidden_states
from fedrec.models.branching import branches
from fedrec.training import answer_positions, pad

_TOKENS = 8192  # tokens in a batch: enough to keep the cores busy, little memory


@torch.inference_mode()
def score_windows(
    model: torch.nn.Module,
    windows: Sequence[Window],
    answers: tuple[int, int],
    n: int,
    *,
    bank: AdapterBank | None = None,
    routing: Routing | None = None,
    precision: str = "fp32",
) -> NDArray[np.float64]:
    """The like-probability of every answered row.

    Args:
        windows: their `rows` are positions in the result.
        answers: the tokens of No and Yes.
        n: length of the result.
        bank, routing: the adapters to apply; none = the base model alone. The routing must serve any batch size.

    Returns:
        (n,) probabilities, NaN where no window answers the row.
    """
    scores = np.full(n, np.nan)
    device = next(model.parameters()).device
    for batch in _by_length(windows):
        with _using(bank, routing), autocast(device, precision):
            hidden = hidden_states(model, pad(batch, device))
        logits = answer_logits(model, hidden[answer_positions(batch, device)], answers)
        scores[np.concatenate([window.rows for window in batch])] = _yes(logits)
    return scores


@torch.inference_mode()
def score_candidates(
    model: torch.nn.Module,
    past: Tokens,
    questions: Sequence[Tokens],
    answers: tuple[int, int],
    *,
    bank: AdapterBank | None = None,
    routing: Routing | None = None,
    precision: str = "fp32",
    batch: int = 64,
) -> NDArray[np.float64]:
    """The like-probability of m candidates after one past, which is computed once and kept as keys and values.

    Args:
        past: tokens of the history, as `PromptEncoder.past_of` gives them.
        questions: m candidates' tokens, as `PromptEncoder.question` gives them.
        batch: candidates scored in one pass.

    Returns:
        (m,) probabilities, equal to scoring each prompt by itself.
    """
    device = next(model.parameters()).device
    body: Any = model.get_decoder()  # type: ignore[operator]
    scores = np.empty(len(questions))
    with _using(bank, routing), autocast(device, precision):
        cache = body(input_ids=torch.tensor([past], device=device), use_cache=True).past_key_values
        branched = branches(cache, min(batch, len(questions)), max(map(len, questions), default=0))
        order = sorted(range(len(questions)), key=lambda i: len(questions[i]))
        for low in range(0, len(order), batch):
            chosen = order[low : low + batch]
            size = len(chosen)
            ids = torch.zeros(size, max(len(questions[i]) for i in chosen), dtype=torch.long)
            for row, i in enumerate(chosen):
                ids[row, : len(questions[i])] = torch.tensor(questions[i])
            hidden = body(input_ids=ids.to(device), past_key_values=branched, use_cache=True).last_hidden_state
            last = torch.tensor([len(questions[i]) - 1 for i in chosen], device=device)
            logits = answer_logits(model, hidden[torch.arange(size, device=device), last], answers)
            scores[chosen] = _yes(logits)
    return scores


def _yes(logits: Tensor) -> NDArray[np.float64]:
    probability: NDArray[np.float64] = torch.softmax(logits.double(), dim=-1)[:, 1].cpu().numpy()
    return probability


def _by_length(windows: Sequence[Window]) -> Iterator[list[Window]]:
    """Batches of similar length, longest first, each of at most `_TOKENS` tokens with padding."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda w: -len(w.ids)):
        if batch and (len(batch) + 1) * len(batch[0].ids) > _TOKENS:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _using(bank: AdapterBank | None, routing: Routing | None) -> Any:
    return nullcontext() if bank is None or routing is None else bank.use(routing)
