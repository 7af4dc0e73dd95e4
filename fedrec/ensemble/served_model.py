"""A served model: the adapters of S shards over one base, answering together.

Answers are snapshots that never change, so that answering goes on while shards come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.data.prompts import Tokens, Window
from fedrec.ensemble.aggregators import AGGREGATORS, equal_in
from fedrec.ensemble.aggregators.combine import combine
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.aggregators.weights import restricted, row_weights_to_windows
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed, Routing
from fedrec.models.base import Base
from fedrec.models.branching import continues
from fedrec.models.item_rows import learnt_items
from fedrec.models.item_tokens import item_tokens
from fedrec.scoring import (
    Batches,
    by_length,
    prompt_windows,
    row_vectors,
    score_candidates,
    score_windows,
    token_vectors,
)
from fedrec.tasks.task import Readout


class ServedModel:
    """The shards that serve, over one base model."""

    def __init__(
        self, base: Base, config: RunConfig, readout: Readout, adapters: Mapping[int, State], judged: Judged
    ) -> None:
        """
        Args:
            config: names the aggregator; where no row is left to judge the shards by, they count equally.
            readout: how answers are read.
            adapters: by shard; with none of them the base model answers alone.
        """
        self._base, self._config, self._readout, self._judged = base, config, readout, judged
        self._aggregator = AGGREGATORS[config.aggregator]
        if self._aggregator.judges and not len(judged.labels):
            self._aggregator = equal_in(self._aggregator.form)
        shards = sorted(adapters)

        def load(bank: AdapterBank) -> None:
            for k, shard in enumerate(shards):
                bank.load(k, adapters[shard])

        self._items = learnt_items(adapters.values())
        self._serve(shards, load)
        self._prepare()

    def without(self, shards: Collection[int], judged: Judged) -> ServedModel:
        """Those of the other shards, judged by the rows that are left, at once: these answers stay as they are.

        All is made of what is in memory, and what weighs the shards learns nothing: it weighs the rest as it learned
        to, until `learned_again`.
        """
        kept = {shard: k for k, shard in enumerate(self.shards) if shard not in shards}
        columns = tuple(kept.values())
        left = copy(self)
        left._judged = judged
        left._serve(tuple(kept), lambda bank: bank.copy(cast(AdapterBank, self._bank), columns))
        if self._aggregator.learned and kept:
            left._weigh = restricted(self._weigh, columns)
        else:
            left._prepare()
        return left

    def learned_again(self) -> ServedModel:
        """These, as if they had been made of their shards; where nothing is learned, they are that already."""
        if not self._aggregator.learned:
            return self
        anew = copy(self)
        anew._prepare()
        return anew

    def _serve(self, shards: Sequence[int], fill: Callable[[AdapterBank], None]) -> None:
        self.shards = tuple(shards)
        self._bank: AdapterBank | None = None
        if shards:
            self._bank = AdapterBank(self._base.model, self._config.lora, width=len(shards), items=self._items)
            fill(self._bank)
            self._bank.eval()

    def _prepare(self) -> None:
        if self.shards:
            judged = self._judged.of(self.shards)
            self._weigh = self._aggregator.prepare(judged, self._config.aggregation, self._config.seed)

    def scores(self, windows: Sequence[Window], n: int, batches: Batches = by_length) -> NDArray[np.float64]:
        """The like-probability of every answered row.

        Args:
            windows: of a table of n rows.
            batches: which windows share a pass.

        Returns:
            (n,) probabilities, NaN where no window answers the row.
        """
        if not windows or len(self.shards) < 2:
            return self._pass(windows, n, Routed(0) if self.shards else None, batches)
        weights = self._weights(windows, n, batches)
        form = self._aggregator.form
        if form in ("ND", "D"):
            by_window = torch.from_numpy(row_weights_to_windows(weights, windows)).float()
            return self._pass(windows, n, Mixed(by_window, "ND" if form == "ND" else "D"), batches)
        alone = np.stack([self._pass(windows, n, Routed(k), batches) for k in range(len(self.shards))], axis=1)
        answered = np.concatenate([window.rows for window in windows])
        scores = np.full(n, np.nan)
        scores[answered] = combine(alone[answered], weights[answered], form)
        return scores

    def candidates(self, past: Tokens, questions: Sequence[Tokens]) -> NDArray[np.float64]:
        """(m,) like-probabilities of m candidates after one past, which has one set of weights.

        Where the outputs of K passes are combined, each candidate is asked with the past before it.
        """
        if not self._one_pass:
            return self.scores(prompt_windows(past, questions), len(questions))
        base, bank, routing = self._base, self._bank, self._routing(past)
        return score_candidates(
            base.model, past, questions, self._readout, bank=bank, routing=routing, precision=base.precision
        )

    @property
    def knows_items(self) -> bool:
        """Whether items have tokens of their own, and many of them can be asked about after one past, read once."""
        model = self._base.model
        return item_tokens(model) is not None and continues(model) and self._one_pass

    def token_vectors(self, past: Tokens, tokens: Sequence[int]) -> NDArray[np.float32]:
        """(m, d): what the model looks up for m tokens, with what adapters weighed for this past add to it."""
        return token_vectors(self._base.model, tokens, bank=self._bank, routing=self._routing(past))

    def close(self) -> None:
        """Detach the adapters from the base model."""
        if self._bank is not None:
            self._bank.close()

    def _weights(self, windows: Sequence[Window], n: int, batches: Batches) -> NDArray[np.float64]:
        """(n, K) of every answered row; zero for other rows."""
        answered = np.concatenate([window.rows for window in windows])
        vectors = np.zeros((len(answered), self._judged.vectors.shape[1]), np.float32)
        if self._aggregator.judges:
            vectors = row_vectors(self._base.model, windows, n, precision=self._base.precision, batches=batches)[
                answered
            ]
        weights = np.zeros((n, len(self.shards)))
        weights[answered] = self._weigh(vectors)
        return weights

    @property
    def _one_pass(self) -> bool:
        """Whether the shards answer in one pass, rather than in one each whose outputs are combined."""
        return len(self.shards) < 2 or self._aggregator.form in ("ND", "D")

    def _routing(self, past: Tokens) -> Routing | None:
        """Of all candidates after a past."""
        if len(self.shards) < 2:
            return Routed(0) if self.shards else None
        end = Window(np.array(past), np.array([len(past) - 1]), np.array([0], np.intp))
        weights = self._weights([end], 1, by_length)[0] if past else np.zeros(0)
        return Mixed(torch.from_numpy(weights).float(), "ND" if self._aggregator.form == "ND" else "D")

    def _pass(
        self, windows: Sequence[Window], n: int, routing: Routing | None, batches: Batches
    ) -> NDArray[np.float64]:
        base, bank = self._base, self._bank
        return score_windows(
            base.model, windows, self._readout, n, bank=bank, routing=routing, precision=base.precision, batches=batches
        )
