"""What every step of an erasure is done with: one request at a time, so that whichever cannot be done fails alone."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from fedrec.protocol.record import BadMessage
from fedrec.text import one_line
from unlearning.audit import log
from unlearning.certificates.times import Times, times
from unlearning.executor import Executor, Say
from unlearning.requests.states import PATH, State
from unlearning.way import Way
from unlearning.workflow.workflow import Workflow

Result = TypeVar("Result")


@dataclass(frozen=True)
class Work:
    """
    Attributes:
        signer: the operator who carries it out.
    """

    workflow: Workflow
    executor: Executor
    signer: str
    say: Say

    @cached_property
    def key(self) -> Ed25519PrivateKey:
        return self.workflow.key(self.signer)

    @property
    def batches(self) -> Path:
        return self.workflow.folder / "batches"

    def each(self, ids: Iterable[str], step: Callable[[str, Selection, str | None], Result]) -> dict[str, Result]:
        """What a step gives for each request; one that cannot be done fails, with the reason, and is left out: also
        where a client answers what is no answer.

        Raises:
            FedrecError: no other request's could be done either: a client does not answer to anything.
        """
        done: dict[str, Result] = {}
        for id in ids:
            try:
                done[id] = step(id, self.workflow.ledger.selection(id), self.workflow.ledger.get(id).scope.client)
            except Exception as error:  # whatever it is, the other requests are none of its fault
                if isinstance(error, FedrecError) and not isinstance(error, BadMessage):
                    self.executor.locate(Selection())
                self.fail(id, f"it cannot be carried out: {_why(error)}")
        return done

    def fail(self, id: str, why: str) -> None:
        self.workflow.ledger.advance(id, State.FAILED, reason=why)
        self.say(f"{id}  failed; what was withdrawn stays so: {why}")

    def reach(self, ids: Sequence[str], state: State) -> None:
        """Every request in that state, or beyond it already."""
        for id in ids:
            if PATH.index(self.workflow.ledger.get(id).reached) < PATH.index(state):
                self.workflow.ledger.advance(id, state)

    def shards(self, ids: Sequence[str]) -> list[int]:
        """Every shard that one of the requests touches."""
        return sorted({shard for id in ids for shard in self.workflow.ledger.get(id).shards or ()})

    def claim(self, id: str) -> str:
        return str((self.workflow.ledger.get(id).plan or {})["claim"])

    def way(self, ids: Iterable[str]) -> Way:
        """That of requests that are carried out together: exactly for all where one is to be so, as that is enough for
        every one of them; and with a bridge where any has one."""
        ways = {(self.workflow.ledger.get(id).plan or {}).get("path", Way.EXACT) for id in ids}
        return next((way for way in (Way.EXACT, Way.BRIDGE) if way in ways), Way.APPROXIMATE)

    def left(self, ids: Iterable[str]) -> dict[str, int]:
        """How much is found of each now; without those that fail because nobody can say."""
        return self.each(ids, lambda id, *_: self.traces(id))

    def traces(self, id: str) -> int:
        """How much is found of a request's rows now."""
        ledger = self.workflow.ledger
        return self.executor.locate(ledger.selection(id), ledger.get(id).scope.client).traces

    def times(self, id: str) -> Times:
        """What the audit log tells."""
        return times(log.read(self.workflow.audit.path), id)


def _why(error: Exception) -> str:
    """In one line; of what nobody foresaw no word that could name a person, but where it was."""
    if isinstance(error, FedrecError):
        return one_line(str(error))
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)  # all of it, whatever is printed of tracebacks here
    return f"{type(error).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"
