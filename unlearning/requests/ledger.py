"""The ledger of erasure requests. What may happen to a request is recorded here before it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Unpack
from uuid import uuid4

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from unlearning.certificates.canonical import canonical
from unlearning.requests import moves, rows
from unlearning.requests.admission import Rejected, check_amount, check_four_eyes, check_signature
from unlearning.requests.batches import BATCHED, Batch, into_batches, is_due
from unlearning.requests.database import Database
from unlearning.requests.deadlines import last_day
from unlearning.requests.decisions import Decision, decided
from unlearning.requests.moves import Facts
from unlearning.requests.policy import Policy
from unlearning.requests.reader import Reader, moment, one
from unlearning.requests.request import Identity, Request
from unlearning.requests.schema import bring_up, requests
from unlearning.requests.scope import described, scope_of, subject_of
from unlearning.requests.signing import Authority, approval_message, decision_message, submission_message
from unlearning.requests.states import TERMINAL, State
from unlearning.requests.subjects import SubjectKeys

OnEvent = Callable[[str, dict[str, Any]], None]
"""Told what happens and what was rejected, in the words of `certificates.fields.Facts`.

It is told within the transaction: a crash can leave a line too many in an audit log, which the next start repeats, and
never a change without its line. What it raises undoes the change.
"""


class Ledger(Reader):
    """The requests in a database, and what may be done to them.

    Any number of processes may use it at once: each method is one transaction, and writers take turns.
    """

    def __init__(
        self, url: str, keys: SubjectKeys, policy: Policy, authority: Authority, on_event: OnEvent = lambda *_: None
    ) -> None:
        super().__init__(Database(url))
        self._keys, self._policy, self._authority, self._on_event = keys, policy, authority, on_event
        with self._database.writing() as connection:
            bring_up(connection)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    # Decisions of people

    def submit(
        self,
        selection: Selection,
        *,
        channel: str,
        ground: str,
        requester: str,
        signature: bytes | None,
        client: str | None = None,
        now: datetime | None = None,
    ) -> Request:
        """A new request, or the open one of the same subject and scope. The signature is over `submission_message`.

        Raises:
            UsageError: the selection names nothing, or several people.
            FedrecError: not signed by the requester, or the requester asks too much.
        """
        scope = scope_of(selection, client)
        message = submission_message(selection, channel=channel, ground=ground, requester=requester, client=client)
        open_key = self._keys.pseudonym(canonical(described(selection, client)).decode())
        received = moment(now)
        with self._rejections_reported():
            check_signature(self._authority, requester, "requester", message, signature)
            with self._database.writing() as connection:
                found = rows.read(connection, requests.c.open_key == open_key)
                if not found:
                    check_amount(connection, self._policy, requester, received)
                    id = str(uuid4())
                    request = Request(
                        id=id,
                        received_at=received,
                        channel=channel,
                        pseudonym=self._keys.pseudonym(subject_of(selection, client)),
                        scope=scope,
                        sealed=self._keys.seal(id, selection.model_dump_json()),
                        ground=ground,
                        requester=requester,
                        due_at=last_day(received.date(), self._policy.response_months, self._policy.next_working_day),
                    )
                    rows.add(connection, request, open_key)
                    told = {"request": id, "pseudonym": request.pseudonym, "operator": requester}
                    self._on_event("submitted", told)
                    return request
        self._on_event("duplicate", {"request": found[0].id, "operator": requester})
        return found[0]

    def approve(
        self, id: str, approver: str, *, identity: str, signature: bytes | None, now: datetime | None = None
    ) -> Request:
        """Identified, in the way `identity` says, and approved. The signature is over `approval_message`.

        Raises:
            FedrecError: not signed by the approver, or the approver is the requester and the policy wants another.
        """
        request = self.get(id)
        with self._rejections_reported(id):
            message = approval_message(request, approver, identity)
            signed = check_signature(self._authority, approver, "approver", message, signature)
            check_four_eyes(self._policy, request, approver)
        known = Identity("confirmed", identity)
        method = "one-operator" if approver == request.requester else "four-eyes"
        change = partial(moves.approved, approver=approver, identity=known, signature=signed, now=moment(now))
        return self._change("approved", id, change, operator=approver, method=method)

    def decide(
        self, id: str, decision: Decision, approver: str, *, signature: bytes | None, now: datetime | None = None
    ) -> Request:
        """Refused, held, released or given more time. The signature is over `decision_message`.

        Raises:
            FedrecError: not signed by an approver, not possible where the request is, or without a reason.
        """
        message = decision_message(self.get(id), decision, approver)
        with self._rejections_reported(id):
            check_signature(self._authority, approver, "approver", message, signature)
        change = partial(decided, decision=decision, policy=self._policy, now=moment(now))
        return self._change(decision.says, id, change, operator=approver)

    # What the executor does

    def advance(self, id: str, to: State, *, now: datetime | None = None, **facts: Unpack[Facts]) -> Request:
        """In state `to`, on the disk when this returns: do what belongs to that state after, not before.

        Nothing happens where it is in that state already.

        Raises:
            FedrecError: the move is not allowed, or lacks something: see `moves.advanced`.
        """
        return self._change("advanced", id, partial(moves.advanced, to=to, facts=facts, now=moment(now)))

    def record_step(self, id: str, step: str, facts: Mapping[str, Any], now: datetime | None = None) -> bool:
        """Note that a step of the request was done. False, and nothing happens, where that was noted before."""
        with self._database.writing() as connection:
            request = one(connection, id)
            if step in rows.read_steps(connection, id):
                return False
            rows.add_step(connection, id, step, (moment(now) - request.received_at).total_seconds(), facts)
            self._on_event("step", {"request": id, "method": step})
        return True

    def batches(self, now: datetime | None = None) -> Sequence[Batch]:
        """Planned requests to carry out together, and those broken off: each shard is in one batch only."""
        with self._database.reading() as connection:
            planned = rows.read(connection, requests.c.state.in_(BATCHED))
        return [batch for batch in into_batches(planned) if is_due(batch, self._policy.batch_window, moment(now))]

    def selection(self, id: str) -> Selection:
        """What is to be forgotten, in the clear.

        Raises:
            FedrecError: the subject's key is not there.
        """
        return Selection.model_validate_json(self._keys.open(id, self.get(id).sealed))

    def destroy_subject(self, id: str) -> None:
        """Make it impossible to learn whom an ended request was about. Safe to repeat."""
        if (state := self.get(id).state) not in TERMINAL:
            raise FedrecError(f"request {id} is {state}: its subject is needed until it is closed or refused")
        self._keys.destroy(id)
        self.record_step(id, "subject-destroyed", {})

    def _change(self, kind: str, id: str, change: Callable[[Request], Request], **told: str) -> Request:
        with self._database.writing() as connection:
            before = one(connection, id)
            after = change(before)
            if after != before:
                rows.save(connection, after)
                self._on_event(kind, {"request": id, "state": after.state.value, **told})
        return after

    @contextmanager
    def _rejections_reported(self, id: str | None = None) -> Iterator[None]:
        try:
            yield
        except Rejected as rejected:
            self._on_event("rejected", {"reason": rejected.cause, "operator": rejected.operator, "request": id})
            raise
