"""The body of a causal language model: token ids in, last hidden states out, before the output embedding.

Sequences are padded on the right and a body looks left only, so no attention mask is needed.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import PreTrainedModel


def body(model: Any) -> Any:
    """What reads tokens in a model; where transformers names none (Llama 4, ModernBERT), its first submodel."""
    decoder = model.get_decoder()
    if isinstance(decoder, PreTrainedModel) and decoder is not model:
        return decoder
    return next((child for child in model.children() if isinstance(child, PreTrainedModel)), decoder)


def hidden_states(model: Any, ids: Tensor) -> Tensor:
    """(b, t, d) last hidden states of token ids (b, t), before the output embedding."""
    hidden: Tensor = body(model)(input_ids=ids, use_cache=False).last_hidden_state
    return hidden
