"""A task: will this person like the title, told from the titles before it alone? By the Brier score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fedrec.config import PromptConfig
from fedrec.data.prompts import Tokens, Window
from fedrec.tasks.task import Encoder, Metric, Readout, Task


class _Chance(Readout):
    def loss(self, logits: Tensor, labels: Tensor, each: bool = False) -> Tensor:
        errors = (logits.softmax(-1)[:, 1] - labels).square()
        return errors if each else errors.mean()

    def scores(self, logits: Tensor, windows: Sequence[Window]) -> NDArray[np.float64]:
        return np.asarray(logits.double().softmax(-1)[:, 1].cpu())


class _Titles(Encoder):
    @property
    def readout(self) -> Readout:
        return _Chance(self.template.answers)

    def answered(self, item: int, label: int) -> Tokens:
        return self.question(item)


class Taste(Task):
    metrics: ClassVar[Mapping[str, Metric]] = {"brier": Metric(rising=False), "accuracy": Metric()}
    main: ClassVar[str] = "brier"

    def encoder(self, tokenizer: Any, titles: Sequence[str], prompt: PromptConfig, context: int) -> Encoder:
        return _Titles(tokenizer, titles, prompt, context)

    def measure(
        self,
        scores: NDArray[np.float64],
        labels: NDArray[Any],
        users: NDArray[np.int32],
        at_split: NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        brier, right = (scores - labels) ** 2, (scores > 0.5) == labels
        found = {"brier": float(brier.mean()), "accuracy": float(right.mean())} if len(scores) else {}
        return {"examples": len(scores), **dict.fromkeys(self.metrics, float("nan")), **found, "ranked": 0}

    def log_likelihood(self, scores: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
        return np.log(np.clip(np.where(labels == 1, scores, 1 - scores), 1e-7, 1))
