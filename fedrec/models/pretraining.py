"""Making a small language model from nothing: a tokenizer, a Llama, batches of text and of timelines, one loop.

Used for the embedded base model, and for the tiny ones of experiments. The loss is a mean of next-token
cross-entropies: of every token of a text, and in a timeline of the answers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from fedrec.data.prompts import ANSWERS, Window
from fedrec.models.padding import answer_positions, pad

START, END, PAD = "<s>", "</s>", "<pad>"
_PIECES = r" ?\(\d{4}\)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"  # a year in brackets may become one token

AnyBatch = TypeVar("AnyBatch")


@dataclass(frozen=True)
class Batch:
    """b sequences, padded on the right.

    Attributes:
        ids: (b, t) int64 token ids.
        weight: (b, t) float32; `weight[i, j]` is the weight of predicting `ids[i, j + 1]`, 0 in the last column.
    """

    ids: torch.Tensor
    weight: torch.Tensor


@dataclass(frozen=True)
class Answers:
    """b timelines, padded on the right, and what is said in them k times.

    Attributes:
        ids: (b, t) int64 token ids.
        at: rows and columns, (k,) each, of the tokens at which an answer is to be predicted.
        chance: (k,) float32 the probability of a yes there.
    """

    ids: torch.Tensor
    at: tuple[torch.Tensor, torch.Tensor]
    chance: torch.Tensor


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


def timeline_batches(
    windows: Sequence[Window], chances: NDArray[np.float64], tokens: int, random: np.random.Generator
) -> Iterator[Answers]:
    """One pass over windows, those of similar length together, about `tokens` tokens a batch, in random order.

    Batches of equal size in tokens give every row about the same weight; batches of so many windows would let the many
    people with a row or two outweigh the long histories, which have the most to teach.

    Args:
        chances: (n,) the probability of a like of all rows that `Window.rows` point into, as far as it is known: a
            label is 0 or 1, and what is imagined has a probability, which teaches the same with less noise.
    """
    noisy = np.array([len(window.ids) for window in windows]) * random.uniform(0.9, 1.1, len(windows))
    groups: list[list[Window]] = [[]]
    longest = 0
    for number in np.argsort(noisy, kind="stable"):
        longest = max(longest, len(windows[number].ids))
        if groups[-1] and (len(groups[-1]) + 1) * longest > tokens:
            groups.append([])
            longest = len(windows[number].ids)
        groups[-1].append(windows[number])
    for chosen in random.permutation(len(groups)):
        group, device = groups[chosen], torch.device("cpu")
        asked = np.concatenate([window.rows for window in group])
        chance = torch.from_numpy(chances[asked]).float()
        yield Answers(pad(group, device), answer_positions(group, device), chance)


def pretrain(
    model: LlamaForCausalLM,
    batches: Sequence[AnyBatch],
    loss_of: Callable[[LlamaForCausalLM, AnyBatch], torch.Tensor],
    lr: float,
    advance: Callable[[float], None] = lambda loss: None,
) -> list[float]:
    """Trains all parameters, one AdamW step a batch, cosine schedule after a warm-up of 5 %; the loss of each step.

    Args:
        loss_of: of a batch.
        advance: told the loss after each step (to show progress).
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_cosine(len(batches)))
    model.train()
    losses = []
    for batch in batches:
        loss = loss_of(model, batch)
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

    No attention mask: what pads a row stands right of it, where causal attention does not look.
    """
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    rows, columns = torch.nonzero(batch.weight, as_tuple=True)
    weight = batch.weight[rows, columns]
    logits = model.lm_head(hidden[rows, columns]).float()
    losses = functional.cross_entropy(logits, batch.ids[rows, columns + 1], reduction="none")
    return (losses * weight).sum() / weight.sum()


def answer_loss(answers: tuple[int, int]) -> Callable[[LlamaForCausalLM, Answers], torch.Tensor]:
    """The mean cross-entropy in nats of what timelines say, between the tokens of no and yes alone: against the whole
    vocabulary a model spends its first hundreds of steps on telling answers from words."""
    no, yes = answers

    def loss(model: LlamaForCausalLM, batch: Answers) -> torch.Tensor:
        hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state[batch.at]
        says = hidden @ (model.lm_head.weight[yes] - model.lm_head.weight[no])
        return functional.binary_cross_entropy_with_logits(says.float(), batch.chance)

    return loss


def _padded(rows: Sequence[tuple[Sequence[int], Sequence[float]]]) -> Batch:
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    weight = torch.zeros(len(rows), longest)
    for number, (tokens, weights) in enumerate(rows):
        ids[number, : len(tokens)] = torch.tensor(tokens)
        weight[number, : len(weights)] = torch.tensor(weights)
    return Batch(ids, weight)


def _warm_cosine(steps: int) -> Callable[[int], float]:
    warm = max(1, steps // 20)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm))))

    return factor
