"""The one training loop: an adapter learns the answers of windows, reproducibly and resumably.

The loss of a row is the cross-entropy of its answer over the two answer tokens (TALLRec's score); the loss of a batch
is the mean over its rows. Everything random follows from the key (seed, client, shard, round).
"""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedrec.config import TrainConfig
from fedrec.data.prompts import Window
from fedrec.hardware import autocast
from fedrec.models.bank import AdapterBank, Routed
from fedrec.models.body import hidden_states
from fedrec.models.head import answer_logits

State = dict[str, Tensor]


@dataclass(frozen=True)
class Task:
    """What one adapter learns in one round.

    Attributes:
        windows: the windows to learn from.
        labels: (n,) the labels of all interaction rows that `Window.rows` point into.
        answers: the tokens of No and Yes.
        key: (seed, client, shard, round): the source of all randomness.
        round, rounds: the position of this round (from 0) in the learning-rate schedule.
    """

    windows: Sequence[Window]
    labels: np.ndarray[Any, np.dtype[np.int8]]
    answers: tuple[int, int]
    key: tuple[int, str, int, int]
    round: int
    rounds: int


@dataclass(frozen=True)
class Outcome:
    """A trained adapter: mean loss per answered row (nats) over the round, rows answered, optimiser steps."""

    state: State
    loss: float
    rows: int
    steps: int


def train(
    model: torch.nn.Module,
    bank: AdapterBank,
    start: State,
    task: Task,
    config: TrainConfig,
    *,
    prox: float = 0.0,
    anchor: State | None = None,
    checkpoint: Path | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Train adapter 0 of `bank` from `start`.

    Args:
        model: the frozen base the bank is attached to.
        bank: its adapter 0 is overwritten.
        start: the adapter to begin with.
        task: rows, randomness and place in the schedule.
        config: optimiser settings.
        prox: weight mu of the proximal term mu/2 |theta - anchor|^2 (FedProx, Li et al. 2020).
        anchor: the adapter the proximal term pulls towards; `start` if none.
        checkpoint: where to keep the state within the round; a matching one found there is continued, bit-exactly.
        on_step: called with (step, steps).

    Returns:
        The trained adapter; `start` itself, with loss 0, if there are no rows.
    """
    if not task.windows:
        return Outcome(start, 0.0, 0, 0)
    parameters = list(bank.parameters())
    anchors: list[Tensor] = []
    if prox:
        bank.load(0, anchor or start)
        anchors = [parameter.detach().clone() for parameter in parameters]
    bank.load(0, start)
    bank.train()
    optimiser = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
    steps = math.ceil(len(task.windows) / config.batch) * config.epochs
    kept = Checkpoint(checkpoint, _digest(start, task, config, prox, anchor), config.checkpoint_seconds)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed(task.key))
        done, total, rows = kept.restore(parameters, optimiser)
        for step, batch in enumerate(batches(task, config)):
            if step < done:
                continue
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step, steps, task.round, task.rounds)
            loss, answered = _backward(model, bank, batch, task, config)
            _pull(parameters, anchors, prox)
            torch.nn.utils.clip_grad_norm_(parameters, config.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            total += loss
            rows += answered
            if on_step is not None:
                on_step(step + 1, steps)
            kept.save(step + 1, total, rows, parameters, optimiser)
    bank.eval()
    return Outcome(bank.state(0), total / rows, rows, steps)


def _backward(
    model: torch.nn.Module, bank: AdapterBank, batch: list[Window], task: Task, config: TrainConfig
) -> tuple[float, int]:
    """Sum of the losses of a batch's rows, and their number; the gradients of the mean are added to adapter 0's."""
    device = next(model.parameters()).device
    ids, at, labels = _tensors(batch, task, device)
    with bank.use(Routed(0)):
        with autocast(device, config.precision):
            hidden = hidden_states(model, ids)
        logits = answer_logits(model, hidden[at], task.answers)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
    return loss.item() * len(labels), len(labels)


def _pull(parameters: Sequence[Tensor], anchors: Sequence[Tensor], prox: float) -> None:
    """Add the gradient of mu/2 |theta - anchor|^2; there are no anchors where there is no such term."""
    for parameter, centre in zip(parameters, anchors, strict=False):
        if parameter.grad is None:  # no token of this batch came by its layer, such as an expert
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad.add_(parameter.detach() - centre, alpha=prox)


def learning_rate(config: TrainConfig, step: int, steps: int, round_: int, rounds: int) -> float:
    """The rate at `step` of `steps` in `round_` (from 0) of `rounds`: warm-up in the first round, then the schedule,
    which runs over all rounds and ends at a twentieth of the rate."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup and round_ == 0 else 1.0
    done = (round_ + step / steps) / max(rounds, 1)
    fall = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[config.schedule]
    return config.lr * warm * (0.05 + 0.95 * fall)


def batches(task: Task, config: TrainConfig) -> Iterator[list[Window]]:
    """The windows of each step, over all passes; their order follows from the task's key."""
    generator = np.random.default_rng(_seed(task.key))
    lengths = [len(window.ids) for window in task.windows]
    for _ in range(config.epochs):
        for batch in bucketed(lengths, config.batch, generator):
            yield [task.windows[i] for i in batch]


def bucketed(lengths: Sequence[int], batch: int, generator: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Every index once, in random batches of similar length: shuffled, sorted within 16 batches, batches shuffled."""
    order = generator.permutation(len(lengths))
    pool = batch * 16
    chunks = [order[i : i + pool] for i in range(0, len(order), pool)]
    batches = []
    for chunk in chunks:
        chunk = chunk[np.argsort([lengths[i] for i in chunk], kind="stable")]
        batches += [chunk[i : i + batch] for i in range(0, len(chunk), batch)]
    return [batches[i] for i in generator.permutation(len(batches))]


def pad(windows: Sequence[Window], device: torch.device) -> Tensor:
    """(b, t) token ids, padded on the right with 0: causal attention never looks there."""
    ids = torch.zeros(len(windows), max(len(window.ids) for window in windows), dtype=torch.long)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = torch.from_numpy(window.ids)
    return ids.to(device)


def answer_positions(windows: Sequence[Window], device: torch.device) -> tuple[Tensor, Tensor]:
    """(row, position) of every answer of a padded batch, to index its hidden states with."""
    rows = np.repeat(np.arange(len(windows)), [len(window.at) for window in windows])
    at = np.concatenate([window.at for window in windows])
    return torch.from_numpy(rows).to(device), torch.from_numpy(at).to(device)


class Checkpoint:
    """The state within a round, kept at most every so many seconds; found again only by the same task."""

    def __init__(self, path: Path | None, digest: str, seconds: float) -> None:
        self.path, self.digest, self.seconds = path, digest, seconds
        self.last = time.monotonic()

    def restore(self, parameters: list[Any], optimiser: torch.optim.Optimizer) -> tuple[int, float, int]:
        """Steps done, sum of losses and rows so far; all zero where there is nothing to continue."""
        if self.path is None or not self.path.exists():
            return 0, 0.0, 0
        try:
            kept = torch.load(self.path, weights_only=True)
        except Exception:  # half-written by a full disk: training starts over, nothing is lost
            return 0, 0.0, 0
        if kept["digest"] != self.digest:
            return 0, 0.0, 0
        with torch.no_grad():
            for parameter, value in zip(parameters, kept["parameters"], strict=True):
                parameter.copy_(value)
        optimiser.load_state_dict(kept["optimiser"])
        torch.set_rng_state(kept["rng"])
        return int(kept["step"]), float(kept["loss"]), int(kept["rows"])

    def save(self, step: int, loss: float, rows: int, parameters: list[Any], optimiser: torch.optim.Optimizer) -> None:
        if self.path is None or time.monotonic() - self.last < self.seconds:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        content = {
            "digest": self.digest,
            "step": step,
            "loss": loss,
            "rows": rows,
            "parameters": [parameter.detach() for parameter in parameters],
            "optimiser": optimiser.state_dict(),
            "rng": torch.get_rng_state(),
        }
        written = io.BytesIO()  # torch itself would not say what the disk's fault is
        torch.save(content, written)
        partial.write_bytes(written.getbuffer())
        partial.replace(self.path)
        self.last = time.monotonic()


def _tensors(batch: list[Window], task: Task, device: torch.device) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    labels = task.labels[np.concatenate([window.rows for window in batch])]
    return pad(batch, device), answer_positions(batch, device), torch.from_numpy(labels).long().to(device)


def _seed(key: tuple[int, str, int, int]) -> int:
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7], "big")


def task_digest(task: Task, config: TrainConfig) -> str:
    """SHA-256 of all that decides what a given start becomes: equal digests and starts give equal adapters."""
    digest = hashlib.sha256(repr((task.key, task.round, task.rounds, task.answers, config)).encode())
    for window in task.windows:
        digest.update(window.ids.tobytes() + window.at.tobytes() + task.labels[window.rows].tobytes())
    return digest.hexdigest()


def _digest(start: State, task: Task, config: TrainConfig, prox: float, anchor: State | None) -> str:
    digest = hashlib.sha256(f"{task_digest(task, config)} {prox}".encode())
    for state in (start, anchor or {}):
        for name in sorted(state):
            digest.update(state[name].numpy().tobytes())
    return digest.hexdigest()
