"""Approved requests, batch by batch: withdrawn, erased, trained again, verified, published, certified.

A request's new state is on disk before its effect, and every effect can be repeated; so whatever is killed at whatever
moment, the next start does what is still to do, and nothing twice.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fedrec.files import read_json, write_json
from fedrec.messages import Model
from fedrec.store import Rounds
from server.erasure import FederatedErasure
from server.federation import digest_of
from server.forget import proof
from server.forget.office import Office
from server.forget.planning import impact
from unlearning.audit import excerpt
from unlearning.requests.batches import BATCHED
from unlearning.requests.request import Request
from unlearning.requests.states import PATH, STOPPED, WITHDRAWN, State
from unlearning.verification import Report, Thresholds

Say = Callable[[str], None]


@dataclass(frozen=True)
class Carrier:
    """Carries out what an office approved.

    Attributes:
        rederive: train the shards a second time from their start, and count the adapters that come out otherwise.
    """

    office: Office
    erasure: FederatedErasure
    signer: str
    say: Say
    rederive: bool = False

    def run(self) -> list[dict[str, Any]]:
        """Everything that is approved and not closed; what came of each request."""
        ledger = self.office.ledger
        self.erasure.catch_up(self.say)
        unsigned = self._fail_unvouched()
        for request in ledger.list(State.IDENTIFIED):
            self.plan(request)
        done: list[str] = []
        for path in sorted(self._batches.glob("*/batch.json")):  # broken off between verification and certificate
            if not any(ledger.get(id).state in STOPPED for id in read_json(path)["requests"]):
                done += self._close(path.parent)
        for batch in ledger.batches():
            done += self._carry_out([request.id for request in batch.requests], batch.shards)
        shutil.rmtree(self._batches, ignore_errors=True)  # also those broken off and gone on with in other company
        return [self.outcome(ledger.get(id)) for id in dict.fromkeys([*unsigned, *done])]

    def _fail_unvouched(self) -> list[str]:
        """What the ledger calls approved and operators do not vouch for fails, before anything is done."""
        failed = []
        for request in self.office.ledger.list():
            if request.state in (State.IDENTIFIED, *BATCHED) and (why := self.office.unvouched(request)):
                self.office.ledger.advance(request.id, State.FAILED, reason=why)
                self.say(f"{request.id}  failed: {why}")
                failed.append(request.id)
        return failed

    def plan(self, request: Request) -> dict[str, Any]:
        """The impact plan, kept with the request."""
        selection = self.office.ledger.selection(request.id)
        plan = impact(self.erasure, self.erasure.locate(selection, request.scope.client), self.office.rules)
        self.office.plan(request, plan, self.signer)
        return plan

    def outcome(self, request: Request) -> dict[str, Any]:
        """As `--json` tells it."""
        certificate = self.office.certificates / f"{request.id}.json"
        return {
            "id": request.id,
            "state": request.state.value,
            "claim": "retrained without" if request.state == State.CLOSED else None,
            "shards": list(request.shards or ()),
            "withdrawn_seconds": request.timings.get("withdrawn_seconds"),
            "restored_seconds": request.timings.get("restored_seconds"),
            "certificate": str(certificate) if certificate.exists() else None,
        }

    def _carry_out(self, ids: Sequence[str], shards: Sequence[int]) -> list[str]:
        folder = self._folder(ids)
        self.say(f"{len(ids)} request{'s' if len(ids) > 1 else ''}, shards {', '.join(map(str, shards)) or 'none'}")
        self._reach(ids, State.QUARANTINED)
        gone = [name for id in ids for name in self.erasure.withdraw(*self._named(id), shards)]
        withdrawn = self._since_quarantined(ids)
        self._reach(ids, State.ERASING, {"withdrawn_seconds": withdrawn})
        kept = self.office.ledger.get(ids[0]).timings["withdrawn_seconds"]  # of the first time, where it was broken off
        self.say(f"withdrawn everywhere in {kept:.2f} s")
        if gone:
            again = f"`fedrec simulate --resume {self.office.run.folder}` trains them again without the rows"
            self.say(f"baselines {', '.join(gone)} are removed with what they learned; {again}")
        for id in ids:
            self.erasure.erase(*self._named(id), id)
        models = self.erasure.retrain(shards, folder / "rounds") if shards else {}
        self._reach(ids, State.VERIFYING)
        report = self._verified(ids, shards, models, self._unequal(shards, folder) if self.rederive else None)
        if report.verdict == "FAIL":
            why = "; ".join(f"{each.name}: {each.why}" for each in report.distances if not each.ok)
            for id in ids:
                self.office.ledger.advance(id, State.FAILED, reason=why)
            shutil.rmtree(folder, ignore_errors=True)  # once released, it is trained anew
            self.say(f"verification failed, the shards stay withdrawn: {why}")
            return list(ids)
        data = self.erasure.locate(self._named(ids[0])[0], None).data
        write_json(
            folder / "batch.json",
            {
                "requests": list(ids), "shards": list(shards), "report": report.model_dump(mode="json"), "after": data,
                "at": proof.now(),
            },
        )  # fmt: skip
        return self._close(folder)

    def _close(self, folder: Path) -> list[str]:
        """Serve, measure, certify and close what is verified; repeated as often as need be."""
        batch = read_json(folder / "batch.json")
        ids, shards, rounds = batch["requests"], batch["shards"], Rounds(folder / "rounds")
        self._reach(ids, State.PUBLISHED)
        if waiting := [id for id in ids if self.office.ledger.get(id).state != State.CLOSED]:
            models = _last(rounds)
            self.erasure.serve(shards, models, self._withdrawn_by_others())
            if "restored_seconds" not in batch:
                batch["restored_seconds"] = self._since_quarantined(ids)
                write_json(folder / "batch.json", batch)
            self.say(f"served again after {batch['restored_seconds']:.1f} s")
            self.erasure.measure(shards, models)
            self.erasure.forget_held(ids)
        for id in waiting:
            self._certify(id, batch, rounds, folder / f"issued-{id}.json")
        for id in ids:
            self._note_certified(id)
            self.office.ledger.destroy_subject(id)
        (folder / "batch.json").unlink()
        return list(ids)

    def _certify(self, id: str, batch: dict[str, Any], rounds: Rounds, path: Path) -> None:
        """Sign the certificate and close the request.

        Args:
            path: keeps what the certificate was first issued with.
        """
        if not path.exists():
            fixed = {name: batch[name] for name in ("at", "restored_seconds")}
            write_json(path, {**fixed, "previous": self._newest()})
        request, report = self.office.ledger.get(id), Report.model_validate(batch["report"])
        signed = proof.certify(
            self.office, request, batch["shards"], rounds, batch["after"], report, read_json(path), self.signer
        )
        write_json(self.office.folder / "newest.json", {"certificate": signed.digest})
        timings = {"restored_seconds": batch["restored_seconds"]}
        self.office.ledger.advance(id, State.CLOSED, certificate=signed.digest, timings=timings)

    def _note_certified(self, id: str) -> None:
        """In the audit log, once."""
        log = self.office.audit
        if not any(line.get("event") == "certified" for line in excerpt(log.path, id)):
            log.append("certified", request=id, certificate=self.office.ledger.get(id).certificate)

    def _withdrawn_by_others(self) -> set[int]:
        """Shards that must not be served yet: of requests that were withdrawn and then held, or failed."""
        requests = self.office.ledger.open_requests()
        return {shard for request in requests if request.reached in WITHDRAWN for shard in request.shards or ()}

    def _unequal(self, shards: Sequence[int], folder: Path) -> int:
        """How many adapters of the retraining a second one, from the start, does not give again; it is not kept."""
        if not shards:
            return 0
        again = folder / "again"
        shutil.rmtree(again, ignore_errors=True)  # broken off; the clients' checkpoints went when they erased again
        self.say("trained again; now a second time, to compare")
        second = self.erasure.retrain(shards, again)
        shutil.rmtree(again)
        return sum(
            digest_of(one) != digest_of(other)
            for client, model in _last(Rounds(folder / "rounds")).items()
            for one, other in zip(model, second[client], strict=True)
        )

    def _verified(
        self, ids: Sequence[str], shards: Sequence[int], models: dict[str, Model], unequal: int | None
    ) -> Report:
        requests = [self.office.ledger.get(id) for id in ids]
        thresholds = Thresholds.model_validate((requests[0].plan or {})["thresholds"])
        return proof.verify(self.erasure, self.office, requests, shards, models, unequal, thresholds)

    def _reach(self, ids: Sequence[str], state: State, timings: dict[str, float] | None = None) -> None:
        """Every request in that state, or beyond it already."""
        for id in ids:
            request = self.office.ledger.get(id)
            if PATH.index(request.reached) < PATH.index(state):
                self.office.ledger.advance(id, state, timings=timings or {})

    def _since_quarantined(self, ids: Sequence[str]) -> float:
        """Seconds since the work on the first of them began, also where it was broken off in between."""
        requests = [self.office.ledger.get(id) for id in ids]
        began = min(r.received_at + timedelta(seconds=r.timings[State.QUARANTINED]) for r in requests)
        return max(0.0, (datetime.now(UTC) - began).total_seconds())

    def _named(self, id: str) -> tuple[Any, str | None]:
        return self.office.ledger.selection(id), self.office.ledger.get(id).scope.client

    def _newest(self) -> str | None:
        """The certificate before the next."""
        path = self.office.folder / "newest.json"
        return str(read_json(path)["certificate"]) if path.exists() else None

    def _folder(self, ids: Sequence[str]) -> Path:
        """Where a batch keeps its rounds. Another set of requests is another batch, which starts from the beginning."""
        key = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]
        return self._batches / key

    @property
    def _batches(self) -> Path:
        return self.office.folder / "batches"


def _last(rounds: Rounds) -> dict[str, Model]:
    """Every client's adapters after the last round, as they are on the disk; none where there was no round."""
    return rounds.models(last) if (last := rounds.last()) else {}
