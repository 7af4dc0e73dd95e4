"""Answers of several shards: a snapshot that never changes, so that answering goes on while shards come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fedrec.config import LoraConfig
from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.models.bank import AdapterBank, Mixed, Routed, Routing
from fedrec.models.base import Base
from fedrec.scoring import by_person, row_vectors, score_windows
from unlearning.aggregation import Evidence, combine, row_weights_to_windows
from unlearning.method import Method


@dataclass(frozen=True)
class Judged:
    """Validation rows as all S shards answer them.

    Attributes:
        vectors: (v, d), labels: (v,), scores: (v, S).
        centres: (S, d) the mean vector of each shard's training rows.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int8]
    scores: NDArray[np.float64]
    centres: NDArray[np.float32]

    def evidence(self, shards: Sequence[int]) -> Evidence:
        """What is known of some of the shards; no rows to answer yet."""
        chosen = list(shards)
        return Evidence(self.vectors[:0], self.vectors, self.labels, self.scores[:, chosen], self.centres[chosen])


class Answers:
    """The shards that serve, over one base model."""

    def __init__(
        self,
        base: Base,
        lora: LoraConfig,
        method: Method,
        seed: int,
        answers: tuple[int, int],
        adapters: Mapping[int, State],
        judged: Judged,
    ) -> None:
        """
        Args:
            answers: the tokens of No and Yes.
            adapters: by shard; with none of them the base model answers alone.
        """
        self.shards = tuple(sorted(adapters))
        self._base, self._method, self._answers = base, method, answers
        self._width = judged.vectors.shape[1]
        self._bank: AdapterBank | None = None
        if self.shards:
            self._bank = AdapterBank(base.model, lora, width=len(self.shards))
            for k, shard in enumerate(self.shards):
                self._bank.load(k, adapters[shard])
            self._bank.eval()
            self._weigh = method.answers.prepare(judged.evidence(self.shards), method.aggregation, seed)

    def scores(self, windows: Sequence[Window], user: NDArray[np.int32]) -> NDArray[np.float64]:
        """The like-probability of every answered row.

        Args:
            windows: of a table of n rows.
            user: (n,) whose each row is; a person's scores do not depend on who else is asked for.

        Returns:
            (n,) probabilities, NaN where no window answers the row.
        """
        if not windows or not self.shards:
            return self._pass(windows, user, None)
        weights = self._weights(windows, user)
        form = self._method.answers.form
        if form in ("ND", "D"):
            by_window = torch.from_numpy(row_weights_to_windows(weights, windows)).float()
            return self._pass(windows, user, Mixed(by_window, "ND" if form == "ND" else "D"))
        alone = np.stack([self._pass(windows, user, Routed(k)) for k in range(len(self.shards))], axis=1)
        answered = np.concatenate([window.rows for window in windows])
        scores = np.full(len(user), np.nan)
        scores[answered] = combine(alone[answered], weights[answered], form)
        return scores

    def _weights(self, windows: Sequence[Window], user: NDArray[np.int32]) -> NDArray[np.float64]:
        """(n, K) of every answered row; zero for other rows."""
        answered = np.concatenate([window.rows for window in windows])
        vectors = np.zeros((len(answered), self._width), np.float32)
        if self._method.answers.judges:
            vectors = row_vectors(
                self._base.model, windows, len(user), precision=self._base.precision, batches=by_person(user)
            )[answered]
        weights = np.zeros((len(user), len(self.shards)))
        weights[answered] = self._weigh(vectors)
        return weights

    def _pass(self, windows: Sequence[Window], user: NDArray[np.int32], routing: Routing | None) -> NDArray[np.float64]:
        return score_windows(
            self._base.model, windows, self._answers, len(user), bank=self._bank, routing=routing,
            precision=self._base.precision, batches=by_person(user),
        )  # fmt: skip
