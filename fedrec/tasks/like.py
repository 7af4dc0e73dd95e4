"""Task `like` of TALLRec (Bao et al., arXiv 2305.00447): does this person like this title, Yes or No?

The score of a row is the softmax over the two answer tokens, its loss their cross-entropy. Measured are AUC and LogLoss
over rows, and UAUC, ranking within a person: with a history that grows row by row, and from that at the split alone, as
`recommend` ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedrec.config import PromptConfig, Sharing
from fedrec.data.prompts import Window
from fedrec.metrics import measure
from fedrec.privacy import disclosure
from fedrec.privacy.disclosure import ScoredRows, SharedScores
from fedrec.tasks.task import Encoder, Metric, Readout, Task

if TYPE_CHECKING:
    from torch import Tensor


class YesOrNo(Readout):
    """The tokens are those of No and of Yes, in this order."""

    def loss(self, logits: Tensor, labels: Tensor, each: bool = False) -> Tensor:
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, labels, reduction="none" if each else "mean")

    def scores(self, logits: Tensor, windows: Sequence[Window]) -> NDArray[np.float64]:
        """The probability of Yes."""
        probability: NDArray[np.float64] = logits.double().softmax(-1)[:, 1].cpu().numpy()
        return probability


class LikeEncoder(Encoder):
    """`title answer title answer …`: a row's answer is read behind its title, from all that came before."""

    @property
    def readout(self) -> YesOrNo:
        return YesOrNo(self.template.answers)


class Like(Task):
    """The labels are those of the rows."""

    metrics: ClassVar[Mapping[str, Metric]] = {
        "auc": Metric(over=None),
        "uauc": Metric(over="ranked"),
        "uauc_at_split": Metric(over="ranked"),
        "logloss": Metric(100.0, rising=False),
    }
    main: ClassVar[str] = "auc"

    def encoder(self, tokenizer: Any, titles: Sequence[str], prompt: PromptConfig, context: int) -> LikeEncoder:
        return LikeEncoder(tokenizer, titles, prompt, context)

    def measure(
        self,
        scores: NDArray[np.float64],
        labels: NDArray[Any],
        users: NDArray[np.int32],
        at_split: NDArray[np.float64] | None = None,
    ) -> dict[str, float]:
        return measure(scores, labels, users, at_split).as_dict()

    def log_likelihood(self, scores: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
        likelihood = np.where(labels == 1, scores, 1 - scores)
        return np.asarray(np.log(np.clip(likelihood, 1e-7, 1)))

    def shared(self, rows: ScoredRows, asked: Sharing, allowed: Sharing) -> SharedScores:
        return disclosure.shared(rows, asked, allowed)

    def spread(self, rows: ScoredRows) -> dict[str, float]:
        return disclosure.ranking_margins([rows])

    def pool(self, parts: Sequence[SharedScores]) -> dict[str, float]:
        return disclosure.pool(parts)

    def margins(self, parts: Sequence[SharedScores]) -> dict[str, float]:
        return disclosure.margins(parts)
