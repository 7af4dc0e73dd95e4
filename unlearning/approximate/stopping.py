"""When approximate unlearning has done enough, told by validation rows and rows to be forgotten; never by test rows.

    small:  loss(V) + | gained(F) - gained(V) |      gained(X) = mean over X of the loss without an adapter - the loss

V are validation rows of retained people, which no adapter has learnt from, F those to be forgotten. What retraining
would gain on F is what it gains on other rows that it has never seen: more is remembered, less is over-forgotten, and
the first term is what forgetting breaks. The loss without an adapter stands for how hard the rows are (difficulty
calibration, Watson et al., ICLR 2022). The original is one of those that are compared.
"""

from __future__ import annotations

from dataclasses import replace

from fedrec.models.adapter import State
from fedrec.training.step import Learning
from fedrec.training.stopping import Stopping, mean_loss
from unlearning.approximate.lesson import Forgetting, some_of

_LOOKS = 2
_WINDOWS = 24  # of each kind that are looked at: a thousand rows, and no dearer where there are millions


class ForgettingStopping(Stopping):
    """Of the adapters on the way, the one that forgot best and broke least; the last without validation rows."""

    def __init__(self, learning: Forgetting) -> None:
        super().__init__(learning)
        if not self.looks:
            return
        self.looks, lesson = _LOOKS, self.exam.lesson
        plain = Learning(learning.model, learning.lora, learning.start, lesson, learning.config)
        self._unseen = replace(plain, lesson=some_of(lesson, lesson.windows, _WINDOWS))
        self._gone = replace(plain, lesson=some_of(learning.lesson, learning.forgotten, _WINDOWS))
        self._hard = self._losses(learning.initial)

    def judge(self, state: State) -> float:
        unseen, gone = self._losses(state)
        return unseen + abs((self._hard[1] - gone) - (self._hard[0] - unseen))

    def _losses(self, state: State) -> tuple[float, float]:
        return mean_loss(self._unseen, state), mean_loss(self._gone, state)
