"""The ledger of erasure requests. What may happen to a request is recorded here before it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Unpack
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError
from fedrec.vault.chain import Link
from unlearning.audit.canonical import canonical, digest
from unlearning.operators.keys import Role
from unlearning.requests import persistence, transitions
from unlearning.requests.admission import Rejected, check_amount, check_four_eyes, check_signature
from unlearning.requests.batches import BATCHED, Batch, into_batches, is_due
from unlearning.requests.database import Database
from unlearning.requests.policy import Policy
from unlearning.requests.reader import Reader, chain_ends, moment, one
from unlearning.requests.request import Identity, Request, Signature
from unlearning.requests.schema import IS_OPEN, links, requests
from unlearning.requests.scope import described, scope_of, subject_of
from unlearning.requests.signing import Authority, OnEvent, Origin, Sign, decision_message, fingerprint, signed_message
from unlearning.requests.states import TERMINAL, UNDONE, State
from unlearning.requests.subjects import SubjectKeys
from unlearning.requests.transitions import Decision
from unlearning.requests.versions import bring_up


class Ledger(Reader):
    """The requests in a database, and what may be done to them.

    Any number of processes may use it at once: each method is one transaction, and writers take turns.
    """

    def __init__(
        self,
        url: str,
        keys: SubjectKeys,
        policy: Policy,
        authority: Authority,
        on_event: OnEvent = lambda *_: None,
        told_ended: Callable[[Sequence[str]], Sequence[str]] = lambda ids: ids,
    ) -> None:
        """
        Args:
            told_ended: which of some requests have ended by what `on_event` was told: no edited state destroys a key.
        """
        super().__init__(Database(url))
        self._keys, self._policy, self._authority, self._on_event = keys, policy, authority, on_event
        with self._database.writing() as connection:
            bring_up(connection)
            closed = requests.c.id.in_(keys.held() - set(persistence.read_ids(connection, IS_OPEN)))
            ended = persistence.read_ids(connection, closed, requests.c.state.in_(TERMINAL))
            self._destroy(connection, told_ended(ended))  # killed before their keys went, or those of their days

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def submit_all(
        self,
        selections: Sequence[Selection],
        *,
        client: str | None = None,
        sign: Sign,
        received: datetime | None = None,
        now: datetime | None = None,
        **origin: Unpack[Origin],
    ) -> list[Request]:
        """Of each a new request, or the open one of the same subject and scope; all of them, or none.

        Args:
            client: the one concerned; None = all.
            received: when they reached the holder; None = now.

        Raises:
            UsageError: a selection names nothing, or several people; or the receipt lies in the future.
            FedrecError: not signed by the requester, or the requester asks too much.
        """
        recorded = moment(now)
        arrived = recorded if received is None else moment(received)
        if arrived > recorded:
            raise UsageError(f"received on {arrived.date()}: that day has not come; give the day it came in")
        requester, made = origin["requester"], dict[bytes, Request]()
        for selection in selections:
            scope_of(selection, client)
        whats = [canonical(described(selection, client)) for selection in selections]
        with self._rejections_reported():
            self._signed(requester, "requester", canonical({"says": "forget", **origin}), sign, recorded)
            try:
                with self._database.writing() as connection:
                    found = self._asked_already(connection, whats)
                    new = {what: each for what, each in zip(whats, selections, strict=True) if what not in found}
                    if new:
                        check_amount(connection, self._policy, requester, len(new), recorded)
                    for what, each in new.items():
                        made[what] = self._new(each, client, arrived, recorded, origin)
                        message = signed_message(made[what], "asked", requester, recorded)
                        asked = self._signed(requester, "requester", message, sign, recorded)
                        made[what] = replace(made[what], signatures={"asked": asked})
                        persistence.add(connection, made[what], self._keys.mark(recorded.date(), what))
                    for request in made.values():
                        told = {"request": request.id, "pseudonym": request.pseudonym, "operator": requester}
                        self._on_event("submitted", {**told, "due": request.due_at.isoformat()})
            except BaseException:  # nothing was submitted, so no key is kept
                for request in made.values():
                    self._keys.destroy(request.id)
                raise
        for request in found.values():
            self._on_event("duplicate", {"request": request.id, "operator": requester})
        return [{**made, **found}[what] for what in whats]

    def _asked_already(self, connection: Connection, whats: Sequence[bytes]) -> dict[bytes, Request]:
        """The open requests that ask the same: found by their marks, and opened, as a mark may have been edited."""
        found = {}
        for what in whats:
            marks = [self._keys.mark(day, what) for day in self._keys.days()]
            for request in persistence.read(connection, IS_OPEN, requests.c.mark.in_(marks)):
                with suppress(FedrecError):  # nobody can say any more what that one asks
                    if canonical(described(self._opened(request), request.scope.client)) == what:
                        found[what] = request
        return found

    def _new(
        self, selection: Selection, client: str | None, arrived: datetime, recorded: datetime, origin: Origin
    ) -> Request:
        id = str(uuid4())
        sealed = self._keys.seal(id, selection.model_dump_json())
        return Request(
            id=id,
            received_at=arrived,
            recorded_at=recorded,
            pseudonym=self._keys.pseudonym(id, subject_of(selection, client)),
            scope=scope_of(selection, client),
            sealed=sealed,
            due_at=self._policy.last_day(arrived.date()),
            **origin,
        )

    def _signed(self, operator: str, role: Role, message: bytes, sign: Sign, at: datetime) -> Signature:
        value = check_signature(self._authority, operator, role, message, sign(message))
        return Signature(operator, at.isoformat(), value.hex())

    def approve(self, id: str, approver: str, *, identity: str, sign: Sign, now: datetime | None = None) -> Request:
        """Identified, in the way `identity` says, and approved.

        Raises:
            FedrecError: not signed by the approver, or the approver is the requester and the policy wants another.
        """
        request, found, at = self.get(id), Identity("confirmed", identity), moment(now)
        message = signed_message(replace(request, identity=found), "approved", approver, at)
        with self._rejections_reported(id):
            kept = self._signed(approver, "approver", message, sign, at)
            check_four_eyes(self._policy, self._authority, request, approver)
        method = "one-operator" if approver == request.requester else "four-eyes"
        change = partial(transitions.approved, identity=found, signature=kept)
        return self._change("approved", id, change, operator=approver, method=method, signature=fingerprint(kept))

    def decide(self, id: str, decision: Decision, approver: str, *, sign: Sign, now: datetime | None = None) -> Request:
        """Refused, cancelled, held, released or given more time.

        An approver decides; who asked may cancel. Of what has ended so, nobody can learn any more whom it was about.

        Raises:
            FedrecError: not signed by who may decide it, not possible where the request is, or without a reason.
        """
        request, at = self.get(id), moment(now)
        role: Role = "requester" if (decision.says, approver) == ("cancelled", request.requester) else "approver"
        with self._rejections_reported(id):
            self._signed(approver, role, decision_message(request, decision, approver), sign, at)
        change = partial(transitions.decided, decision=decision, policy=self._policy, now=at)
        after = self._change(decision.says, id, change, operator=approver)
        if after.state in UNDONE:
            self.destroy_subject(id)
        return after

    def plan(
        self, id: str, plan: Mapping[str, Any], signer: str, *, sign: Sign, now: datetime | None = None
    ) -> Request:
        """With a plan, or a newer one, before anything is carried out. The plan itself is told of first.

        Raises:
            FedrecError: not signed by the signer, not approved, or something of it was begun.
        """
        request, at = self.get(id), moment(now)
        if plan == request.plan:
            return request
        message = signed_message(replace(request, plan=dict(plan)), "planned", signer, at)
        with self._rejections_reported(id):
            kept = self._signed(signer, "signer", message, sign, at)
        self._on_event("plan", {"request": id, "plan": digest(plan), "operator": signer})
        kind = "planned-again" if request.state == State.PLANNED else "advanced"
        return self._change(kind, id, partial(transitions.planned, plan=plan, signature=kept))

    def advance(self, id: str, to: State, *, reason: str = "", certificate: str | None = None) -> Request:
        """In state `to`, on the disk when this returns: do what belongs to that state after, not before.

        Nothing happens where it is in that state already.

        Raises:
            FedrecError: the move is not allowed, or lacks something: see `transitions.advanced`.
        """
        return self._change(
            "advanced", id, partial(transitions.advanced, to=to, reason=reason, certificate=certificate)
        )

    def batches(self, now: datetime | None = None) -> Sequence[Batch]:
        """Planned requests to carry out together, and those broken off: each shard is in one batch only."""
        with self._database.reading() as connection:
            planned = persistence.read(connection, requests.c.state.in_(BATCHED))
        return [batch for batch in into_batches(planned) if is_due(batch, self._policy.batch_window, moment(now))]

    def selection(self, id: str) -> Selection:
        """What is to be forgotten, in the clear.

        Raises:
            FedrecError: the subject's key is not there, or what it opens cannot be carried out.
        """
        selection = self._opened(self.get(id))
        selection.check_conditions()
        return selection

    def _opened(self, request: Request) -> Selection:
        try:
            return Selection.model_validate_json(self._keys.open(request.id, request.sealed))
        except ValidationError:  # whose message would say whom it is about
            raise FedrecError(f"request {request.id}: what it covers is not written as this fedrec reads it") from None

    def destroy_subject(self, id: str) -> None:
        """Make it impossible to learn whom an ended request was about. Safe to repeat."""
        with self._database.writing() as connection:
            if (state := one(connection, id).state) not in TERMINAL:
                raise FedrecError(f"request {id} is {state}: its subject is needed until it is closed or refused")
            if id in self._keys.held():
                self._on_event("step", {"request": id, "method": "subject-destroyed"})
            self._destroy(connection, [id])

    def _destroy(self, connection: Connection, ended: Sequence[str]) -> None:
        """The keys of requests that have ended, and of the days of which none is open any more."""
        for id in ended:
            self._keys.destroy(id)
        for day in persistence.ended_days(connection, self._keys.days(), self._keys.held()):
            self._keys.destroy_day(day)

    def unmarked(self) -> Iterator[tuple[str, str, str | None]]:
        """The open requests by whose mark a repeat is not found, or that cannot be opened: id, why, and the mark."""
        with self._database.reading() as connection:
            found = persistence.read(connection, IS_OPEN)
            marks = {row.id: row.mark for row in connection.execute(select(requests.c.id, requests.c.mark))}
        held = self._keys.held()  # without its key, a request fails when it is carried out
        for request in (each for each in found if each.id in held):
            try:
                asked = canonical(described(self._opened(request), request.scope.client))
                there = self._keys.known_mark(request.recorded_at.date(), asked) == marks[request.id]
                why = "" if there else "its mark is not that of what it asks"
            except FedrecError as error:
                why = str(error).removeprefix(f"request {request.id}: ")
            if why:
                yield request.id, why, marks[request.id]

    def extend_chain(self, client: str, told: Iterable[Link]) -> None:
        """Remember the erasures that a client tells of beyond those that are known."""
        with self._database.writing() as connection:
            last, _ = chain_ends(connection).get(client, (0, ""))
            rows = [{"client": client, **vars(link)} for link in told if link.number > last]
            if rows:
                connection.execute(insert(links), rows)

    def note_repeated(self, rows: int) -> None:
        """That a client had lost erasures, or served what was withdrawn, and has put it right."""
        self._on_event("repeated", {"clients": 1, "rows": rows})

    def _change(self, kind: str, id: str, change: Callable[[Request], Request], **told: str) -> Request:
        with self._database.writing() as connection:
            before = one(connection, id)
            after = change(before)
            if after != before:
                persistence.save(connection, after)
                if after.due_at != before.due_at:
                    told["due"] = after.due_at.isoformat()
                self._on_event(kind, {"request": id, "state": after.state.value, **told})
        return after

    @contextmanager
    def _rejections_reported(self, id: str | None = None) -> Iterator[None]:
        try:
            yield
        except Rejected as rejected:
            self._on_event("rejected", {"reason": rejected.cause, "operator": rejected.operator, "request": id})
            raise
