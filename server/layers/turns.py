"""Whose turn it is: one thing at a time, in the order it was asked for; what waits may be computed together.

A thread that asks waits, and the one that finds something ready computes it for whoever asked. Forwards of learning
sessions are ready when as many wait as may be together, or as many as there are, or when the first has waited for the
window; backwards when all of one forward are there, or the first has waited so long. With one at a time nobody waits
for others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from fedrec.training.middle import MiddleSession, go_back
from fedrec.training.middle_batch import forward_together


@dataclass(eq=False)
class _Job:
    """Something asked for.

    Attributes:
        alone: computes it, where nothing else may be with it.
        session, lengths, states: of a forward; without lengths, of a backward, whose states are the gradient.
    """

    alone: Callable[[], Any] | None = None
    session: MiddleSession | None = None
    lengths: Sequence[int] | None = None
    states: Tensor | None = None
    wanted: bool = False
    since: float = field(default_factory=time.monotonic)
    done: bool = False
    found: Any = None
    fault: BaseException | None = None


class Turns:
    def __init__(
        self, most: int = 1, tokens: int = 512, window: float = 0.0, learning: Callable[[], int] = lambda: 1
    ) -> None:
        """
        Args:
            most: sessions in a pass; 1 = each by itself, so that not even rounding depends on who else is there.
            tokens: in a pass of several, with padding.
            window: seconds to wait for others.
            learning: how many sessions there are that may come.
        """
        self._most, self._tokens, self._window, self._learning = most, tokens, window, learning
        self._waiting: list[_Job] = []
        self._turn = threading.Condition()
        self._busy = False

    def alone(self, compute: Callable[[], Any]) -> Any:
        """What it computes, in its turn."""
        return self._found(_Job(alone=compute))

    def forward(self, session: MiddleSession, lengths: Sequence[int], states: Tensor, learn: bool) -> Tensor:
        """`MiddleSession.forward`."""
        if self._most == 1 or not learn or session.begin.lora.dropout:
            made: Tensor = self.alone(lambda: session.forward(lengths, states, learn))
            return made
        together: Tensor = self._found(_Job(session=session, lengths=lengths, states=states))
        return together

    def backward(self, session: MiddleSession, gradient: Tensor, wanted: bool) -> Tensor | None:
        """`MiddleSession.backward`."""
        if session.graph is None or len(session.graph.open) == 1:
            alone: Tensor | None = self.alone(lambda: session.backward(gradient, wanted))
            return alone
        together: Tensor | None = self._found(_Job(session=session, states=gradient, wanted=wanted))
        return together

    def _found(self, job: _Job) -> Any:
        with self._turn:
            self._waiting.append(job)
            self._turn.notify_all()
            while not job.done:
                ready = [] if self._busy else self._ready()
                if not ready:
                    self._turn.wait(self._window or None)
                    continue
                self._busy = True
                self._waiting = [each for each in self._waiting if each not in ready]
                self._turn.release()
                try:
                    _compute(ready)
                finally:
                    self._turn.acquire()
                    self._busy = False
                    self._turn.notify_all()
        if job.fault is not None:
            raise job.fault
        return job.found

    def _ready(self) -> list[_Job]:
        """What is to be computed next, the oldest that can be."""
        now = time.monotonic()
        for job in self._waiting:
            if job.alone is not None:
                return [job]
            assert job.session is not None
            late = now - job.since >= self._window
            if job.lengths is not None:
                others, full = self._fitting()
                if late or full or len(others) >= min(self._most, self._learning()):
                    return others
            else:
                graph = job.session.graph
                members = graph.open if graph is not None else {job.session}
                others = [each for each in self._waiting if each.lengths is None and each.session in members]
                if late or len(others) >= len(members):
                    return others or [job]
        return []

    def _fitting(self) -> tuple[list[_Job], bool]:
        """The oldest forwards that fit in a pass, one at least; and whether not even one more like the first does."""
        found, rows, longest = list[_Job](), 0, 0
        for job in self._waiting:
            if job.lengths is None:
                continue
            more, long = rows + len(job.lengths), max(longest, *job.lengths)
            if found and (more * long > self._tokens or len(found) == self._most):
                return found, True
            found.append(job)
            rows, longest = more, long
        return found, rows * longest * (len(found) + 1) > self._tokens * len(found)


def _compute(jobs: Sequence[_Job]) -> None:
    """Fill in what is found, or the fault; where it fails of several together, of each by itself."""
    try:
        for job, found in zip(jobs, _found(jobs), strict=True):
            job.found = found
    except Exception as fault:
        if len(jobs) == 1:
            jobs[0].fault = fault
        else:
            for job in jobs:
                _compute([job])
    finally:
        for job in jobs:
            job.done = True


def _found(jobs: Sequence[_Job]) -> Sequence[Any]:
    if (alone := jobs[0].alone) is not None:
        return [alone()]
    sessions = [job.session for job in jobs if job.session is not None]
    states = [job.states for job in jobs if job.states is not None]
    lengths = [job.lengths for job in jobs if job.lengths is not None]
    if not lengths:
        return go_back(sessions, states, [job.wanted for job in jobs])
    if len(jobs) == 1:
        return [sessions[0].forward(lengths[0], states[0], True)]
    return forward_together(sessions, lengths, states)
