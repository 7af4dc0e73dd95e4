"""What a task is: how a timeline becomes tokens, how what the model says there is read, and what is measured of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedrec.config import PromptConfig, Sharing
from fedrec.data.dataset import Interactions
from fedrec.data.prompts import PromptEncoder, Window
from fedrec.privacy.disclosure import ScoredRows, SharedScores

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Readout(ABC):
    """How the logits at an answer position are read.

    Attributes:
        tokens: the t tokens whose logits it reads, the possible answers.
    """

    tokens: tuple[int, ...]

    @abstractmethod
    def loss(self, logits: Tensor, labels: Tensor, each: bool = False) -> Tensor:
        """What training makes small: the mean over k rows, or (k,) each row's.

        Args:
            logits: (k, t) fp32.
            labels: (k,) int64, as `Task.labels` gives them.
        """

    @abstractmethod
    def scores(self, logits: Tensor, windows: Sequence[Window]) -> NDArray[np.float64]:
        """(k,) what is told of each row, from logits (k, t).

        Args:
            windows: those that ask about the rows, one after another; none where candidates of one past are scored.
        """


class Encoder(PromptEncoder, ABC):
    """Timelines as windows of tokens, in which each row that is asked about has one answer position."""

    @property
    @abstractmethod
    def readout(self) -> Readout:
        """How the answers are read."""


@dataclass(frozen=True)
class Metric:
    """
    Attributes:
        highest: the largest value it can have; 0 is the smallest.
        over: what weighs a client's in the mean of all: its `examples` (rows), or `ranked` (people); None = over
            all rows it is no mean, and follows from scores alone (`Task.pool`).
        rising: more is better.
    """

    highest: float = 1.0
    over: str | None = "examples"
    rising: bool = True


class Task(ABC):
    """
    Attributes:
        metrics: what is measured, by name.
        main: the metric by which clients are compared.
    """

    metrics: ClassVar[Mapping[str, Metric]]
    main: ClassVar[str]

    @abstractmethod
    def encoder(self, tokenizer: Any, titles: Sequence[str], prompt: PromptConfig, context: int) -> Encoder:
        """
        Args:
            tokenizer, context: the base model's, and its longest input in tokens.
            titles: the catalogue's.
        """

    @abstractmethod
    def measure(
        self,
        scores: NDArray[np.float64],
        labels: NDArray[Any],
        users: NDArray[np.int32],
        at_split: NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        """The metrics of n rows, each (n,): `examples`, those of `metrics`, NaN where unknown, and `ranked`.

        Args:
            at_split: scores of the same rows from each person's history at the split, if they are known.
        """

    @abstractmethod
    def log_likelihood(self, scores: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) of what happened, at most 0."""

    def labels(self, rows: Interactions) -> NDArray[Any]:
        """(n,) the right answer of each row, a place in the readout's tokens."""
        return rows.label

    def shared(self, rows: ScoredRows, asked: Sharing, allowed: Sharing) -> SharedScores:
        """What a client tells of its scores besides its metrics."""
        return None

    def spread(self, rows: ScoredRows) -> dict[str, float]:
        """Half the width of the 95 % interval over these rows' people of each metric that is a mean of people's."""
        return {}

    def pool(self, parts: Sequence[SharedScores]) -> dict[str, float]:
        """The metrics over everybody's rows that follow from what every client tells of its scores."""
        return {}

    def margins(self, parts: Sequence[SharedScores]) -> dict[str, float]:
        """Half the width of the 95 % interval over people of some metrics, by `…_margin`, as far as it follows."""
        return {}
