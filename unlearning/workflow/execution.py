"""Approved requests, batch by batch: withdrawn, erased, trained again, verified, published, certified.

A request's new state is on disk before its effect, and every effect can be repeated; so whatever is killed at whatever
moment, the next start does what is still to do, and nothing twice. A request that cannot be carried out fails alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedrec.console.progress import working
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import Model, digest_of
from fedrec.text import amount, one_line
from unlearning.certificates.verify import read_signed
from unlearning.executor import Located
from unlearning.requests.batches import BATCHED
from unlearning.requests.request import Request
from unlearning.requests.states import STOPPED, State
from unlearning.verification import Report
from unlearning.way import Way
from unlearning.workflow import approximate, measuring, progress, proof
from unlearning.workflow.closing import close, end
from unlearning.workflow.findings import open_faults, refuse_altered
from unlearning.workflow.planning import impact
from unlearning.workflow.progress import Verified
from unlearning.workflow.proof import Done
from unlearning.workflow.work import Work


@dataclass(frozen=True)
class Execution(Work):
    """Carries out what was approved.

    Attributes:
        way_now: in which what is planned now is carried out; what was begun goes on as it was planned.
        rederive: train the shards a second time from their start, and count the adapters that come out otherwise.
    """

    rederive: bool = False
    way_now: Way = Way.EXACT

    def run(self) -> list[dict[str, Any]]:
        """Everything that is approved and not closed; what came of each request.

        Raises:
            FedrecError: log, certificates, ledger and operators do not tell the same; nothing was done.
        """
        ledger = self.workflow.ledger
        with working("checking what is kept, and asking the clients what they have erased"):
            refuse_altered(self.workflow)
            self.executor.catch_up(self.say)
        for each in ledger.unreadable():
            self.say(f"{each.id}  left out: {each.why}; restore the ledger from a backup")
        done = self._fail_unvouched()
        for path in sorted(self.batches.glob("*/batch.json")):  # broken off between verification and certificate
            done += self._go_on(path.parent)
        identified = [request.id for request in ledger.list(State.IDENTIFIED)]
        current = {*self.each(identified, self._plan)}  # planned from what is there now
        done += [id for id in identified if id not in current]
        for batch in ledger.batches():
            done += [request.id for request in batch.requests]
            old = [each.id for each in batch.requests if each.state == State.PLANNED and each.id not in current]
            failed = {*old} - {*self.each(old, self._plan)}
            if ready := [each.id for each in batch.requests if each.id not in failed]:
                self._carry_out(ready)
                current = set()
        shutil.rmtree(self.batches, ignore_errors=True)  # also those broken off and gone on with in other company
        return [self.outcome(ledger.get(id)) for id in dict.fromkeys(done)]

    def _fail_unvouched(self) -> list[str]:
        """What the ledger calls approved and operators or the log do not vouch for fails, before anything is done."""
        faults, waiting = open_faults(self.workflow), self.workflow.ledger.open_requests()
        failed = [each.id for each in waiting if each.state in (State.IDENTIFIED, *BATCHED) and each.id in faults]
        for id in failed:
            self.fail(id, faults[id])
        return failed

    def outcome(self, request: Request) -> dict[str, Any]:
        """As `--json` tells it."""
        certificate = self.workflow.certificates / f"{request.id}.json"
        signed = read_signed(certificate) if certificate.exists() else None
        closed = request.state == State.CLOSED
        return {
            "id": request.id,
            "state": request.state.value,
            "claim": (signed.certificate.claim if signed else self.claim(request.id)) if closed else None,
            "reason": request.reasons.get("failed") if request.state == State.FAILED else None,
            "shards": list(request.shards or ()),
            "withdrawn_seconds": signed and signed.certificate.withdrawn_seconds,
            "restored_seconds": signed and signed.certificate.restored_seconds,
            "certificate": str(certificate) if signed else None,
        }

    def _plan(self, id: str, selection: Selection, client: str | None) -> None:
        """The impact plan, kept with the request; made again, it keeps the thresholds that were fixed first."""
        request = self.workflow.ledger.get(id)
        plan = self._impact(id, self.executor.locate(selection, client))
        if request.plan:
            plan |= {"thresholds": request.plan["thresholds"]}
            if plan.get("approximate") and request.plan.get("approximate"):
                plan["approximate"] |= {name: request.plan["approximate"][name] for name in ("claim", "thresholds")}
        self.workflow.plan(request, plan, self.signer)

    def _impact(self, id: str, located: Located) -> dict[str, Any]:
        """In the way that was chosen, or exactly where it cannot be forgotten approximately."""
        rules = self.workflow.rules
        if self.way_now != Way.EXACT and located.shards:
            try:
                return impact(self.executor, located, rules, self.way_now)
            except FedrecError as error:
                self.say(f"{id}  exactly, as approximately it cannot be done: {one_line(str(error))}")
        return impact(self.executor, located, rules)

    def _carry_out(self, asked: Sequence[str]) -> None:
        """A batch, from its plans on; those of it that fail are left out where they do."""
        shards = self.shards(asked)
        self.say(f"{amount(len(asked), 'request')}, {_named(shards)}")
        bridge = approximate.standing(self, asked, self.batches / progress.name(asked))
        ids = [*asked] if bridge else self._erased(asked, shards)
        if not ids:
            return
        shards, folder, way = self.shards(ids), self.batches / progress.name(ids), self.way(ids)
        reports = None
        if shards and way != Way.EXACT and bridge is None:
            reports = approximate.answer(self, ids, shards, folder)
        if reports is None or way == Way.BRIDGE:
            if reports is not None:
                bridge = approximate.bridge(self, reports, shards, folder)
            reports, way = self._retrained(ids, shards, folder), Way.EXACT
        else:
            self.reach(ids, State.VERIFYING)
        now, retrained = self.executor.locate(Selection()), progress.answered(self.executor, shards, folder, way)
        batch = Verified(
            shards=tuple(shards),
            rounds=progress.mark(retrained),
            after=now.data,
            erasures=dict(sorted(now.erasures.items())),
            way=way,
            bridge=bridge.reports if bridge else {},
        )
        passed = self.each(
            [id for id, report in reports.items() if self._passed(id, report)],
            lambda id, *_: proof.check(
                Done(self.workflow, self.signer, self.workflow.ledger.get(id), batch, retrained, reports[id])
            ),
        )
        if not passed:
            shutil.rmtree(folder, ignore_errors=True)  # once released, it is trained anew
            return
        batch = batch.model_copy(update={"requests": (*passed,), "reports": {id: reports[id] for id in passed}})
        progress.note_verified(folder, self.key, batch)
        close(self, folder, batch)

    def _erased(self, asked: Sequence[str], shards: Sequence[int]) -> list[str]:
        """Nobody serves what learned from these requests' rows, and the rows are gone; those of which that holds."""
        self.reach(asked, State.QUARANTINED)
        gone = self.each(asked, lambda _, selection, client: self.executor.withdraw(selection, client, shards))
        if not gone:
            return []
        approximate.unbridge(self, gone)
        self.reach([*gone], State.ERASING)
        seconds = self.times(next(iter(gone))).withdrawn_seconds  # also where it was broken off since
        self.say("withdrawn everywhere" + (f" in {seconds:.2f} s" if seconds is not None else ""))
        if baselines := [name for names in gone.values() for name in names]:
            again = f"{command('simulate --resume', self.workflow.model.folder)} trains them again without the rows"
            self.say(f"baselines {', '.join(baselines)} are removed with what they learned; {again}")
        return [*self.each(gone, lambda id, selection, client: self.executor.erase(selection, client, id))]

    def _retrained(self, ids: Sequence[str], shards: Sequence[int], folder: Path) -> dict[str, Report]:
        """The shards trained again, and what that gives for each request."""
        models = progress.retrain(self.executor, shards, folder, self.key) if shards else {}
        self.reach(ids, State.VERIFYING)
        return self._verified(ids, shards, models, self._unequal(shards, folder) if self.rederive else None)

    def _passed(self, id: str, report: Report) -> bool:
        """Whether a request's verification did; if not, it fails, and its shards stay withdrawn."""
        if report.verdict == "FAIL":
            why = "; ".join(f"{each.name}: {each.why}" for each in report.distances if not each.ok)
            self.fail(id, f"verification failed: {why}")
        return report.verdict == "PASS"

    def _go_on(self, folder: Path) -> list[str]:
        """Close what was verified and broken off; what this operator did not verify is carried out again instead."""
        if (batch := progress.verified(self.executor, folder, self.key)) is not None:
            stopped = any(self.workflow.ledger.get(id).state in STOPPED for id in batch.requests)
            return [] if stopped else close(self, folder, batch)
        ids = progress.named(folder / "batch.json")
        for request in self.workflow.ledger.list(State.CLOSED):
            if request.id in ids:
                end(self, request.id)
        self.say(f"{folder}: its verification is not signed by {self.signer}, so nothing of it counts; done again")
        shutil.rmtree(folder)
        return ids

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
        left = self.left(ids)
        requests = {id: self.workflow.ledger.get(id) for id in left}
        facts = measuring.measured(self.executor, list(requests.values()), shards, models, unequal)
        return self.each(left, lambda id, *_: measuring.judged(requests[id], left[id], facts))


def _named(shards: Sequence[int]) -> str:
    """Shards by their numbers."""
    return f"{'shard' if len(shards) == 1 else 'shards'} {', '.join(map(str, shards)) or 'none'}"
