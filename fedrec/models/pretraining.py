"""Making a small language model from nothing: a tokenizer, a Llama, batches of text and of timelines, one loop.

Used for the embedded base model, and by experiments that build a better one from public film data. The loss is a
weighted mean of next-token cross-entropies; the weights say what is to be learnt (every token of a text; in a
timeline the answers above all).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from fedrec.data.prompts import ANSWERS, Window

START, END, PAD = "<s>", "</s>", "<pad>"
_PIECES = r" ?\(\d{4}\)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"  # a year in brackets may become one token
_TITLE_WEIGHT = 0.02  # of a token of a title in a timeline, beside 1 of an answer


@dataclass(frozen=True)
class Batch:
    """b sequences, padded on the right.

    Attributes:
        ids: (b, t) int64 token ids.
        weight: (b, t) float32; `weight[i, j]` is the weight of predicting `ids[i, j + 1]`, 0 in the last column.
        answers: tokens that compete with each other only, as in the score of a row; none in plain text.
    """

    ids: torch.Tensor
    weight: torch.Tensor
    answers: tuple[int, ...] = ()


def train_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A lower-cased byte-level BPE of at most `size` tokens, with marks for the structure of a timeline.

    Equal texts in equal order give an equal tokenizer: ties between merges are broken by token, not by hash order.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.Prepend(" ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[PAD, START, END, *ANSWERS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ANSWERS),
    )


def new_llama(vocabulary: int, width: int, layers: int, context: int, seed: int) -> LlamaForCausalLM:
    """A Llama with tied embeddings and heads of 64 dimensions; its weights are drawn from `seed` alone."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=width * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        num_key_value_heads=max(1, width // 64),
        max_position_embeddings=context,
        tie_word_embeddings=True,
        initializer_range=width**-0.5,  # words lie apart from the start, so that an adapter can tell rare ones
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def language_batches(
    documents: Sequence[Sequence[int]], end: int, length: int, batch: int, random: np.random.Generator
) -> Iterator[Batch]:
    """One pass over the documents in random order, joined by the token `end` and cut into rows of `length`."""
    stream = [token for number in random.permutation(len(documents)) for token in (*documents[number], end)]
    rows = [stream[start : start + length] for start in range(0, len(stream), length)]
    for start in range(0, len(rows), batch):
        yield _padded([(row, [1.0] * (len(row) - 1) + [0.0]) for row in rows[start : start + batch]])


def token_batches(
    windows: Sequence[Window],
    labels: NDArray[np.int8],
    answers: tuple[int, int],
    tokens: int,
    random: np.random.Generator,
    words: int | None = None,
) -> Iterator[Batch]:
    """One pass over windows, those of similar length together, about `tokens` tokens a batch, in random order.

    Batches of equal size in tokens give every row about the same weight; batches of so many windows would let the many
    people with a row or two outweigh the long histories, which have the most to teach.

    Args:
        words: the first token of an item; those are not to be predicted.
    """
    noisy = np.array([len(window.ids) for window in windows]) * random.uniform(0.9, 1.1, len(windows))
    groups: list[list[Window]] = [[]]
    longest = 0
    for number in np.argsort(noisy, kind="stable"):
        longest = max(longest, len(windows[number].ids) + 1)
        if groups[-1] and (len(groups[-1]) + 1) * longest > tokens:
            groups.append([])
            longest = len(windows[number].ids) + 1
        groups[-1].append(windows[number])
    for chosen in random.permutation(len(groups)):
        yield _padded([_answered(window, labels, answers, words) for window in groups[chosen]], answers)


def _answered(
    window: Window, labels: NDArray[np.int8], answers: tuple[int, int], words: int | None
) -> tuple[list[int], list[float]]:
    weight = np.full(len(window.ids) + 1, _TITLE_WEIGHT)
    if words is not None:
        weight[:-2][window.ids[1:] >= words] = 0.0
    weight[window.at] = 1.0
    weight[-1] = 0.0
    return [*window.ids.tolist(), answers[labels[window.rows[-1]]]], weight.tolist()


def pretrain(
    model: LlamaForCausalLM,
    batches: Sequence[Batch],
    lr: float,
    bf16: bool,
    advance: Callable[[float], None] = lambda loss: None,
) -> list[float]:
    """Trains all parameters, one AdamW step a batch, cosine schedule after a warm-up of 5 %; the loss of each step.

    Args:
        advance: told the loss after each step (to show progress).
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_cosine(len(batches)))
    model.train()
    losses = []
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = next_token_loss(model, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        advance(losses[-1])
    model.eval()
    return losses


def next_token_loss(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """The weighted mean cross-entropy in nats; logits are computed where a weight stands and nowhere else.

    An answer is predicted among the answers alone: against the whole vocabulary a model spends its first hundreds of
    steps on telling answers from words, and learns to read histories late or never.
    No attention mask: what pads a row stands right of it, where causal attention does not look.
    """
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    rows, columns = torch.nonzero(batch.weight, as_tuple=True)
    weight = batch.weight[rows, columns]
    targets = batch.ids[rows, columns + 1]
    logits = model.lm_head(hidden[rows, columns]).float()
    if batch.answers:
        answers = torch.tensor(batch.answers)
        words = torch.ones(logits.shape[1], dtype=torch.bool).index_fill(0, answers, False)
        logits = logits.masked_fill(torch.isin(targets, answers)[:, None] & words, -torch.inf)
    losses = functional.cross_entropy(logits, targets, reduction="none")
    return (losses * weight).sum() / weight.sum()


def _padded(rows: Sequence[tuple[Sequence[int], Sequence[float]]], answers: tuple[int, ...] = ()) -> Batch:
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    weight = torch.zeros(len(rows), longest)
    for number, (tokens, weights) in enumerate(rows):
        ids[number, : len(tokens)] = torch.tensor(tokens)
        weight[number, : len(weights)] = torch.tensor(weights)
    return Batch(ids, weight, answers)


def _warm_cosine(steps: int) -> Callable[[int], float]:
    warm = max(1, steps // 20)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm))))

    return factor
