"""Whether a model reads as timelines need it to: left to right, each row by itself, with logits of its last states."""

from __future__ import annotations

from typing import Any

import torch

from fedrec.models import probe_tokens
from fedrec.models.body import hidden_states
from fedrec.models.head import answer_logits

_CAUSAL = (
    1e-4  # a tenth of `probe_tokens.same`'s, because the passes have one shape: all but experts compute the same bytes
)


@torch.no_grad()
def fault_of(model: Any) -> str | None:
    """What is wrong with how a model reads, in a few words; None where nothing is.

    A later token may not change an earlier state, nor may padding or another row of the batch; and the logits at a
    position have to follow from its last hidden state alone.
    """
    try:
        ids = probe_tokens.tokens(model)
        later, start = ids.clone(), ids.shape[1] * 2 // 3
        later[:, start:] = ids[:, start:].flip(0, 1)  # the other row's tokens, in another order
        with probe_tokens.alone(model):
            hidden, changed = hidden_states(model, ids), hidden_states(model, later)
            apart = torch.cat([hidden_states(model, row[None, :start]) for row in ids])
            logits = model(input_ids=ids).logits
    except Exception as error:  # the model's own code raises what it likes
        return f"it cannot be read with token ids alone ({_line(error)})"
    early = hidden[:, :start]
    if not hidden.isfinite().all():
        return "its states are not finite numbers; are its weights whole?"
    if not probe_tokens.same(early, changed[:, :start], _CAUSAL):
        return "it is not a causal language model: a later token changes an earlier state"
    if not probe_tokens.same(early, apart):
        return "its states depend on padding or on other rows of a batch"
    answers = (1, 2)
    try:
        own = answer_logits(model, hidden.flatten(0, 1), answers).view(*ids.shape, 2)
    except Exception as error:  # a head that wants more of the body than its last states
        return f"its logits cannot be had from its last hidden states ({_line(error)})"
    if not probe_tokens.same(logits[..., list(answers)], own):
        return "its logits do not follow from its last hidden states"
    return None


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
