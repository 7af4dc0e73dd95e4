"""Approved requests, batch by batch: withdrawn, erased, trained again, verified, published, certified.

A request's new state is on disk before its effect, and every effect can be repeated; so whatever is killed at whatever
moment, the next start does what is still to do, and nothing twice. A request that cannot be carried out fails alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, command
from fedrec.models.adapter import digest_of
from fedrec.progress import working
from fedrec.protocol.adapters import Model
from fedrec.protocol.record import BadMessage
from fedrec.text import one_line
from unlearning.certificates.certificate import NOTHING_FOUND
from unlearning.certificates.row import newest
from unlearning.executor import Executor, Retrained, Say
from unlearning.records.audit import excerpt
from unlearning.requests.batches import BATCHED
from unlearning.requests.request import Request
from unlearning.requests.states import PATH, STOPPED, WITHDRAWN, State
from unlearning.verification import Report
from unlearning.workflow import progress, proof
from unlearning.workflow.findings import open_faults, refuse_altered
from unlearning.workflow.planning import impact
from unlearning.workflow.workflow import Workflow


@dataclass(frozen=True)
class Execution:
    """Carries out what was approved.

    Attributes:
        rederive: train the shards a second time from their start, and count the adapters that come out otherwise.
    """

    workflow: Workflow
    executor: Executor
    signer: str
    say: Say
    rederive: bool = False

    def run(self) -> list[dict[str, Any]]:
        """Everything that is approved and not closed; what came of each request.

        Raises:
            FedrecError: log, certificates, ledger and operators do not tell the same; nothing was done.
        """
        ledger = self.workflow.ledger
        with working("checking what is kept, and asking the clients what they have erased"):
            refuse_altered(self.workflow)
            self.executor.catch_up(self.say)
        done = self._fail_unvouched()
        for request in ledger.list(State.IDENTIFIED):
            if not self._alone(request.id, self._plan):
                done.append(request.id)
        for path in sorted(self._batches.glob("*/batch.json")):  # broken off between verification and certificate
            done += self._go_on(path.parent)
        for batch in ledger.batches():
            done += [request.id for request in batch.requests]
            ready = [r.id for r in batch.requests if r.state != State.PLANNED or self._alone(r.id, self._plan)]
            if ready:  # planned again, from what the batch before has left
                self._carry_out(ready)
        shutil.rmtree(self._batches, ignore_errors=True)  # also those broken off and gone on with in other company
        return [self.outcome(ledger.get(id)) for id in dict.fromkeys(done)]

    def _fail_unvouched(self) -> list[str]:
        """What the ledger calls approved and operators or the log do not vouch for fails, before anything is done."""
        faults, waiting = open_faults(self.workflow), self.workflow.ledger.open_requests()
        failed = [each.id for each in waiting if each.state in (State.IDENTIFIED, *BATCHED) and each.id in faults]
        for id in failed:
            self._fail(id, faults[id])
        return failed

    def outcome(self, request: Request) -> dict[str, Any]:
        """As `--json` tells it."""
        certificate = self.workflow.certificates / f"{request.id}.json"
        return {
            "id": request.id,
            "state": request.state.value,
            "claim": self._claim(request.id) if request.state == State.CLOSED else None,
            "reason": request.reasons.get("failed") if request.state == State.FAILED else None,
            "shards": list(request.shards or ()),
            "withdrawn_seconds": request.timings.get("withdrawn_seconds"),
            "restored_seconds": request.timings.get("restored_seconds"),
            "certificate": str(certificate) if certificate.exists() else None,
        }

    def _plan(self, id: str, selection: Selection, client: str | None) -> None:
        """The impact plan, kept with the request; made again, it keeps the thresholds that were fixed first."""
        request = self.workflow.ledger.get(id)
        plan = impact(self.executor, self.executor.locate(selection, client), self.workflow.rules)
        fixed = {"thresholds": request.plan["thresholds"]} if request.plan else {}
        self.workflow.plan(request, plan | fixed, self.signer)

    def _carry_out(self, asked: Sequence[str]) -> None:
        """A batch, from its plans on; those of it that fail are left out where they do."""
        shards = self._shards(asked)
        self.say(f"{len(asked)} request{'s' if len(asked) > 1 else ''}, shards {', '.join(map(str, shards)) or 'none'}")
        self._reach(asked, State.QUARANTINED)
        gone: list[str] = []

        def withdraw(_: str, selection: Selection, client: str | None) -> None:
            gone.extend(self.executor.withdraw(selection, client, shards))

        ids = [id for id in asked if self._alone(id, withdraw)]
        if not ids:
            return
        self._reach(ids, State.ERASING, {"withdrawn_seconds": self._since_quarantined(ids)})
        first = self.workflow.ledger.get(ids[0]).timings["withdrawn_seconds"]  # also where it was broken off since
        self.say(f"withdrawn everywhere in {first:.2f} s")
        if gone:
            again = f"{command('simulate --resume', self.workflow.model.folder)} trains them again without the rows"
            self.say(f"baselines {', '.join(gone)} are removed with what they learned; {again}")
        ids = [id for id in ids if self._alone(id, lambda id, of, client: self.executor.erase(of, client, id))]
        shards, folder = self._shards(ids), self._batches / progress.name(ids)
        models = progress.retrain(self.executor, shards, folder, self._key) if shards else {}
        self._reach(ids, State.VERIFYING)
        reports = self._verified(ids, shards, models, self._unequal(shards, folder) if self.rederive else None)
        passed = [id for id, report in reports.items() if self._passed(id, report)]
        if not passed:
            shutil.rmtree(folder, ignore_errors=True)  # once released, it is trained anew
            return
        batch = {
            "requests": passed, "shards": shards, "at": proof.now(),
            "reports": {id: reports[id].model_dump(mode="json") for id in passed},
            "after": self.executor.locate(Selection()).data,
            "rounds": progress.mark(self.executor.retrained(shards, folder / "rounds")),
        }  # fmt: skip
        progress.note(folder / "batch.json", self._key, batch)
        self._close(folder, batch)

    def _alone(self, id: str, step: Callable[[str, Selection, str | None], object]) -> bool:
        """Whether a step of one request can be done; where it is the request that cannot, it fails, with the reason;
        so it does where a client answers what is no answer.

        Raises:
            FedrecError: no other request's could be done either: a client does not answer to anything.
        """
        try:
            step(id, self.workflow.ledger.selection(id), self.workflow.ledger.get(id).scope.client)
        except FedrecError as error:
            if not isinstance(error, BadMessage):
                self.executor.locate(Selection())
            self._fail(id, f"it cannot be carried out: {one_line(str(error))}")
            return False
        return True

    def _passed(self, id: str, report: Report) -> bool:
        """Whether a request's verification did; if not, it fails, and its shards stay withdrawn."""
        if report.verdict == "FAIL":
            why = "; ".join(f"{each.name}: {each.why}" for each in report.distances if not each.ok)
            self._fail(id, f"verification failed: {why}")
        return report.verdict == "PASS"

    def _fail(self, id: str, why: str) -> None:
        self.workflow.ledger.advance(id, State.FAILED, reason=why)
        self.say(f"{id}  failed; what was withdrawn stays so: {why}")

    def _shards(self, ids: Sequence[str]) -> list[int]:
        """Every shard that one of the requests touches."""
        return sorted({shard for id in ids for shard in self.workflow.ledger.get(id).shards or ()})

    def _go_on(self, folder: Path) -> list[str]:
        """Close what was verified and broken off; what this operator did not verify is carried out again instead."""
        if (batch := progress.verified(self.executor, folder, self._key)) is not None:
            stopped = any(self.workflow.ledger.get(id).state in STOPPED for id in batch["requests"])
            return [] if stopped else self._close(folder, batch)
        ids = progress.named(folder / "batch.json")
        for request in self.workflow.ledger.list(State.CLOSED):
            if request.id in ids:
                self._end(request.id)
        self.say(f"{folder}: its verification is not signed by {self.signer}, so nothing of it counts; done again")
        shutil.rmtree(folder)
        return ids

    def _close(self, folder: Path, batch: dict[str, Any]) -> list[str]:
        """Serve, measure, certify and close a batch as it is noted in its folder; repeated as often as need be."""
        ids, shards = batch["requests"], batch["shards"]
        retrained = self.executor.retrained(shards, folder / "rounds")
        self._reach(ids, State.PUBLISHED)
        if waiting := [id for id in ids if self.workflow.ledger.get(id).state != State.CLOSED]:
            withdrawn = self._withdrawn_by_others()
            self.executor.serve(shards, retrained.adapters, withdrawn)
            if "restored_seconds" not in batch:
                batch |= {"restored_seconds": self._since_quarantined(ids), "withdrawn": sorted(withdrawn)}
                progress.note(folder / "batch.json", self._key, batch)
            self.say(_served(batch))
            if any(self._claim(id) != NOTHING_FOUND for id in ids):
                self.executor.measure(shards, retrained.adapters, folder / "rounds")
            self.executor.discard_erased(ids)
        for id in waiting:
            self._certify(id, batch, retrained, folder / f"issued-{id}.json")
        for id in ids:
            self._end(id)
        (folder / "batch.json").unlink()
        return list(ids)

    def _claim(self, id: str) -> str:
        return str((self.workflow.ledger.get(id).plan or {})["claim"])

    def _certify(self, id: str, batch: dict[str, Any], retrained: Retrained, path: Path) -> None:
        """Sign the certificate and close the request.

        Args:
            path: keeps what the certificate was first issued with.
        """
        request, report = self.workflow.ledger.get(id), Report.model_validate(batch["reports"][id])
        back = set(batch["withdrawn"]).isdisjoint(request.shards or ())
        restored = batch["restored_seconds"] if back else None
        issued = progress.noted(path, self._key)
        if issued is None:
            before = newest(self.workflow.certificates, but=id)
            issued = {"at": batch["at"], "restored_seconds": restored, "previous": before}
            progress.note(path, self._key, issued)
        signed = proof.certify(
            self.workflow, request, batch["shards"], retrained, batch["after"], report, issued, self.signer
        )
        timings = {"restored_seconds": restored} if restored is not None else {}
        self.workflow.ledger.advance(id, State.CLOSED, certificate=signed.digest, timings=timings)

    def _end(self, id: str) -> None:
        """Told in the audit log, once, and nobody can learn any more whom it was about."""
        log = self.workflow.audit
        if not any(line.get("event") == "certified" for line in excerpt(log.path, id)):
            log.append("certified", request=id, certificate=self.workflow.ledger.get(id).certificate)
        self.workflow.ledger.destroy_subject(id)

    def _withdrawn_by_others(self) -> set[int]:
        """Shards that must not be served yet: of requests that were withdrawn and then held, or failed."""
        requests = self.workflow.ledger.open_requests()
        return {shard for request in requests if request.reached in WITHDRAWN for shard in request.shards or ()}

    def _unequal(self, shards: Sequence[int], folder: Path) -> int:
        """How many adapters of the retraining a second one, from the start, does not give again; it is not kept."""
        if not shards:
            return 0
        again = folder / "again"
        shutil.rmtree(again, ignore_errors=True)  # broken off; the clients' checkpoints went when they erased again
        self.say("trained again; now a second time, to compare")
        second = self.executor.retrain(shards, again)
        shutil.rmtree(again)
        return sum(
            digest_of(one) != digest_of(other)
            for client, model in self.executor.retrained(shards, folder / "rounds").adapters.items()
            for one, other in zip(model, second[client], strict=True)
        )

    def _verified(
        self, ids: Sequence[str], shards: Sequence[int], models: dict[str, Model], unequal: int | None
    ) -> dict[str, Report]:
        left: dict[str, int] = {}

        def look(id: str, selection: Selection, client: str | None) -> None:
            left[id] = self.executor.locate(selection, client).traces

        requests = [self.workflow.ledger.get(id) for id in ids if self._alone(id, look)]
        return proof.verify(self.executor, requests, left, shards, models, unequal)

    def _reach(self, ids: Sequence[str], state: State, timings: dict[str, float] | None = None) -> None:
        """Every request in that state, or beyond it already."""
        for id in ids:
            request = self.workflow.ledger.get(id)
            if PATH.index(request.reached) < PATH.index(state):
                self.workflow.ledger.advance(id, state, timings=timings or {})

    def _since_quarantined(self, ids: Sequence[str]) -> float:
        """Seconds since the work on the first of them began, also where it was broken off in between."""
        requests = [self.workflow.ledger.get(id) for id in ids]
        now, began = datetime.now(UTC), State.QUARANTINED
        starts = [r.received_at + timedelta(seconds=r.timings[began]) for r in requests if began in r.timings]
        return max(0.0, (now - min(starts, default=now)).total_seconds())

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return self.workflow.key(self.signer)

    @property
    def _batches(self) -> Path:
        return self.workflow.folder / "batches"


def _served(batch: dict[str, Any]) -> str:
    out = sorted({*batch["shards"]} & {*batch["withdrawn"]})
    kept = f", but for shards {', '.join(map(str, out))}, which another request keeps out" if out else ""
    return f"served again after {batch['restored_seconds']:.1f} s{kept}"
