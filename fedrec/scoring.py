"""What a task reads of a model: at every answer position of whole timelines, or for many candidates of one history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedrec.data.prompts import Tokens, Window
from fedrec.hardware import autocast
from fedrec.models.adapter_bank import AdapterBank, Routing
from fedrec.models.base import width_of
from fedrec.models.body import body, hidden_states
from fedrec.models.branching import Branches, way_of
from fedrec.models.head import answer_logits
from fedrec.models.padding import answer_positions, pad
from fedrec.tasks.task import Readout

Batches = Callable[[Sequence[Window]], Iterator[list[int]]]
"""Which windows, by their positions, share a pass."""

TOKENS = 8192  # tokens in a batch: enough to keep the cores busy, little memory
_CANDIDATES = 64  # in a pass, where each has the past's keys laid out before it
_CANDIDATE_TOKENS = 512  # in a pass, where they share the past: their numbers stay in a core's cache


def by_length(windows: Sequence[Window]) -> Iterator[list[int]]:
    """Windows of similar length, longest first, at most `TOKENS` tokens with padding."""
    yield from _packed([len(window.ids) for window in windows], TOKENS, len(windows))


def _packed(lengths: Sequence[int], tokens: int, most: int) -> Iterator[list[int]]:
    """Places of sequences of similar length, longest first, at most so many tokens with padding, and so many places."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and ((len(batch) + 1) * lengths[batch[0]] > tokens or len(batch) == most):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def by_person(user: NDArray[np.int32]) -> Batches:
    """One person's windows at a time, so that not even rounding depends on who else is there.

    Args:
        user: (n,) whose each row is.
    """

    def batches(windows: Sequence[Window]) -> Iterator[list[int]]:
        for _, mine in groupby(range(len(windows)), key=lambda i: user[windows[i].rows[0]]):
            positions = list(mine)
            for batch in by_length([windows[i] for i in positions]):
                yield [positions[i] for i in batch]

    return batches


@torch.inference_mode()
def score_windows(
    model: torch.nn.Module,
    windows: Sequence[Window],
    readout: Readout,
    n: int,
    *,
    bank: AdapterBank | None = None,
    routing: Routing | None = None,
    precision: str = "fp32",
    batches: Batches = by_length,
) -> NDArray[np.float64]:
    """The score of every answered row.

    Args:
        windows: their `rows` are positions in the result.
        readout: how the answers are read.
        n: length of the result.
        bank, routing: the adapters to apply, the same for all windows or one for each; none = the base model alone.
        batches: which windows share a pass; `by_person` where one person's scores may not depend on who else is there.

    Returns:
        (n,) scores, NaN where no window answers the row.
    """
    scores = np.full(n, np.nan)
    for batch, rows, hidden in _answer_states(model, windows, bank, routing, precision, batches):
        scores[rows] = readout.scores(answer_logits(model, hidden, readout.tokens), batch)
    return scores


@torch.inference_mode()
def row_vectors(
    model: torch.nn.Module, windows: Sequence[Window], n: int, *, precision: str = "fp32", batches: Batches = by_length
) -> NDArray[np.float32]:
    """(n, d): what the frozen base makes of every answered row's prompt, its last hidden state; NaN for other rows."""
    vectors = np.full((n, width_of(model)), np.nan, np.float32)
    for _, rows, hidden in _answer_states(model, windows, None, None, precision, batches):
        vectors[rows] = hidden.float().cpu().numpy()
    return vectors


def _answer_states(
    model: torch.nn.Module,
    windows: Sequence[Window],
    bank: AdapterBank | None,
    routing: Routing | None,
    precision: str,
    batches: Batches,
) -> Iterator[tuple[list[Window], NDArray[np.intp], Tensor]]:
    """Each batch, the rows it answers, and the hidden states (k, d) at their answer positions."""
    device = next(model.parameters()).device
    for chosen in batches(windows):
        batch = [windows[i] for i in chosen]
        with _using(bank, routing and routing.take(torch.tensor(chosen))), autocast(device, precision):
            hidden = hidden_states(model, pad(batch, device))
        yield batch, np.concatenate([window.rows for window in batch]), hidden[answer_positions(batch, device)]


@torch.inference_mode()
def score_candidates(
    model: torch.nn.Module,
    past: Tokens,
    questions: Sequence[Tokens],
    readout: Readout,
    *,
    bank: AdapterBank | None = None,
    routing: Routing | None = None,
    precision: str = "fp32",
    batch: int | None = None,
) -> NDArray[np.float64]:
    """The score of m candidates after one past, which is computed once, where the model can go on from it.

    Args:
        past: tokens of the history, as `PromptEncoder.past_of` gives them.
        questions: m candidates' tokens, as `PromptEncoder.question` gives them.
        routing: of all candidates.
        batch: candidates scored in one pass, at most; None = as many as are quick.

    Returns:
        (m,) scores, equal to scoring each prompt by itself.
    """
    way = way_of(model)
    if not past or way is None:
        windows = prompt_windows(past, questions)
        return score_windows(model, windows, readout, len(windows), bank=bank, routing=routing, precision=precision)
    device = next(model.parameters()).device
    reads = body(model)
    scores = np.empty(len(questions))
    with _using(bank, routing), autocast(device, precision):
        cache = reads(input_ids=torch.tensor([past], device=device), use_cache=True).past_key_values
        lengths, shared = [len(question) for question in questions], way == "shared"
        most = batch or (len(questions) if shared else _CANDIDATES)
        passes = list(_packed(lengths, _CANDIDATE_TOKENS if shared else TOKENS, most))
        branches = Branches(cache, max(map(len, passes), default=0), max(lengths, default=0), way)
        for chosen in passes:
            size, longest = len(chosen), lengths[chosen[0]]
            ids = torch.tensor([(*questions[i], *(0,) * (longest - lengths[i])) for i in chosen])
            behind = branches.cache(size)
            hidden = reads(input_ids=ids.to(device), past_key_values=behind, use_cache=True).last_hidden_state
            last = torch.tensor([lengths[i] - 1 for i in chosen], device=device)
            logits = answer_logits(model, hidden[torch.arange(size, device=device), last], readout.tokens)
            scores[chosen] = readout.scores(logits, ())
    return scores


@torch.inference_mode()
def token_vectors(
    model: torch.nn.Module, tokens: Sequence[int], *, bank: AdapterBank | None = None, routing: Routing | None = None
) -> NDArray[np.float32]:
    """(m, d): what the model looks up for m tokens, with what the adapters add to it."""
    embedding: Any = cast(Any, model).get_input_embeddings()
    with _using(bank, routing):
        vectors: NDArray[np.float32] = (
            embedding(torch.tensor([tokens]).to(embedding.weight.device))[0].float().cpu().numpy()
        )
    return vectors


def prompt_windows(past: Tokens, questions: Sequence[Tokens]) -> list[Window]:
    """Each question with the past before it as a window that answers the row of its number."""
    prompts = [np.array(past + question) for question in questions]
    return [Window(ids, np.array([len(ids) - 1]), np.array([row])) for row, ids in enumerate(prompts)]


def _using(bank: AdapterBank | None, routing: Routing | None) -> Any:
    return nullcontext() if bank is None or routing is None else bank.use(routing)
