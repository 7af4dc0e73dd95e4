"""`fedrec forget run` is killed at moments spread over its whole life, and every one ends like one left alone.

One small run of four shards has three requests approved: two people of one shard, one of another. Copies of it are
killed with SIGKILL while they carry these out, some again while they resume. After every kill no client may serve an
adapter that is withdrawn; at the end certificates, evidence, adapters, vaults, ledger and files must equal those of a
copy left alone, but for what says when (`content_of`). Each copy is a fork of this process, which has everything
imported: a process of its own would spend most of its life importing.

    taskset -c 0 python -m experiments.forget_kills
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from experiments.common import run_command, tiny_base, workplace, write_result
from experiments.erasing import asked, carried_out
from experiments.kills import WORLD, kill_after, served, settings
from fedrec.config import load
from fedrec.models.base import load_base
from server.launch import simulate
from server.prepare import prepare
from server.simulated_run import SimulatedRun, open_run
from unlearning.audit.log import check
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.verify import verify_certificate
from unlearning.requests.states import State
from unlearning.workflow.workflow import Workflow

ANEW = ("issued_at", "withdrawn_seconds", "restored_seconds", "audit_head", "evidence", "previous")
WHEN = ("audit.jsonl", "signatures.json", "MANIFEST.json")  # evidence that tells when each step was, and when planned
WITHDRAWN = (State.ERASING, State.VERIFYING)  # a withdrawal is under way before them, and over in them
_FORK = multiprocessing.get_context("fork")


def in_child(work: Callable[[Path], None], folder: Path, seconds: float | None = None) -> tuple[int, float]:
    """Do it in a fork, killed when it has computed for so many seconds; exit code (-9) and the seconds it computed."""
    before = os.times()
    child = _FORK.Process(target=_quietly, args=(work, folder))
    child.start()
    if seconds is not None:
        assert child.pid is not None
        kill_after(seconds, child.pid, lambda: child.exitcode is not None)
    child.join()
    after = os.times()
    assert child.exitcode is not None
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return child.exitcode, used


def _quietly(work: Callable[[Path], None], folder: Path) -> None:
    """What it says goes beside the folder."""
    with folder.with_suffix(".log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    work(folder)
    sys.stdout.flush()


def forget(folder: Path) -> None:
    carried_out(open_run(folder), print)


def prepared(folder: Path, base: Path) -> SimulatedRun:
    """A trained run with its requests approved."""

    def make(place: Path) -> None:
        few = {"shards": 4, "clients.count": 2, "federation.rounds": 2, "train.epochs": 1, "data.world.users": 16}
        run = prepare(load(overrides={**settings(base), **few}), place)
        simulate(run)
        asked(run, _three(run))

    if (code := in_child(make, folder)[0]) != 0:
        raise SystemExit(f"{folder}: exit code {code}: {folder.with_suffix('.log').read_text()[-500:]}")
    return open_run(folder)


def _three(run: SimulatedRun) -> list[str]:
    """Two users of one shard, and one of another."""
    users = sorted(run.clients_of())
    shard_of = dict(zip(users, run.shard_of(users).tolist(), strict=True))
    (most, _), (next_, _) = Counter(shard_of.values()).most_common(2)
    mine = [[user for user in users if shard_of[user] == shard] for shard in (most, next_)]
    return [*mine[0][:2], mine[1][0]]


def content_of(run: SimulatedRun) -> dict[str, Any]:
    """Everything that must be equal.

    Left out of a certificate are `ANEW`: its times, and the digests of what says when (the audit log, the evidence that
    holds an excerpt of it, the certificate before), the signature over them, and the day on which recipients were told;
    of the evidence that excerpt, and the signature over the plan and its time; of files the journals of SQLite.
    """
    workflow = Workflow(run)
    found: dict[str, Any] = {"requests": {}, "clients": {}}
    for request in workflow.ledger.list():
        signed = json.loads((workflow.certificates / f"{request.id}.json").read_bytes())
        certificate = {key: value for key, value in signed["certificate"].items() if key not in ANEW}
        certificate["recipients"] = [each["name"] for each in certificate["recipients"]]
        found["requests"][request.id] = {
            "state": request.state.value,
            "certificate": certificate,
            "evidence": {
                path.name: path.read_text() for path in workflow.bundle(request.id).iterdir() if path.name not in WHEN
            },
            "steps": sorted(workflow.ledger.steps(request.id)),
        }
    workflow.ledger.close()
    for name in run.clients:
        vault = run.client(name).vault
        found["clients"][name] = {
            "serves": served(run, name),
            "data": asdict(vault.manifest()),
            "tombstones": sorted((stone.request, stone.kind) for stone in vault.tombstones()),
        }
    last = run.rounds.history()[-1]
    found["measured"] = {key: getattr(last, key) for key in ("clients", "overall", "adapter_hash")}
    found["files"] = sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if _kept(path))
    return found


def _kept(path: Path) -> bool:
    return path.is_file() and not path.name.endswith(("-wal", "-shm"))


def faults_at_the_end(run: SimulatedRun) -> list[str]:
    """What no comparison shows: chains that do not hold, and requests not closed exactly once."""
    workflow, faults = Workflow(run), []
    ids = [request.id for request in workflow.ledger.list()]
    workflow.ledger.close()
    certified = Counter(
        line["facts"]["request"] for line in _lines(workflow.audit.path) if line["event"] == "certified"
    )
    for id in ids:
        path = workflow.certificates / f"{id}.json"
        if not verify_certificate(path, bundle=workflow.bundle(id), trusted=workflow.operators.publics()).ok:
            faults.append("a certificate does not verify")
        if certified[id] != 1:
            faults.append(f"a request certified {certified[id]} times")
    heads = [json.loads(path.read_bytes())["certificate"]["audit_head"] for path in workflow.certificates.iterdir()]
    if not verify_chain(workflow.certificates, trusted=workflow.operators.publics()).ok:
        faults.append("the certificates are no chain")
    if not check(workflow.audit.path, heads).ok:
        faults.append("the audit log does not verify")
    return faults


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def served_wrongly(run: SimulatedRun, before: dict[str, list[str | None]]) -> list[str]:
    """Adapters that a killed run serves though the ledger says that they are withdrawn, or exchanged for others.

    Args:
        before: what each client served before anything was forgotten.
    """
    workflow, faults = Workflow(run), []
    for request in workflow.ledger.list():
        for name in run.clients:
            now = [entry and entry["sha256"] for entry in run.client(name).ensemble.entries or ()]
            for shard in request.shards or ():
                if request.reached in WITHDRAWN and now[shard] is not None:
                    faults.append(f"{request.reached}: {name} serves shard {shard}")
                if request.reached in (State.PUBLISHED, State.CLOSED) and now[shard] == before[name][shard]:
                    faults.append(f"{request.reached}: {name} serves the old shard {shard}")
    workflow.ledger.close()
    return faults


def doing(run: SimulatedRun) -> str:
    """What a killed run was about: how far each of its requests is."""
    workflow = Workflow(run)
    states = [request.state.value for request in workflow.ledger.list()]
    workflow.ledger.close()
    return " ".join(states)


def one(number: int, moments: list[float], ready: SimulatedRun, whole: dict[str, Any], life: float) -> dict[str, Any]:
    """A copy killed at those parts of a life, and resumed to its end."""
    run = SimulatedRun(ready.folder.with_name(f"killed-{number}"))
    shutil.copytree(ready.folder, run.folder)
    before = {name: served(ready, name) for name in ready.clients}
    kills, wrong = [], []
    for moment in moments:
        code, _ = in_child(forget, run.folder, moment * life)
        killed = code == -signal.SIGKILL
        kills.append({"after_cpu_seconds": moment * life, "hit": doing(run) if killed else "ended before"})
        wrong += served_wrongly(run, before) if killed else []
    code, _ = in_child(forget, run.folder)
    faults = [f"exit code {code}"] if code else faults_at_the_end(run)
    unequal = [] if code else _unequal(content_of(run), whole)
    row = {"kills": kills, "served_wrongly": wrong, "faults": faults, "unequal": unequal}
    if wrong or faults or unequal:
        print(f"kept: {run.folder}", flush=True)
    else:
        shutil.rmtree(run.folder)
        run.folder.with_suffix(".log").unlink()
    return row


def _unequal(found: Any, whole: Any, where: str = "") -> list[str]:
    """The places where two contents differ."""
    if isinstance(found, dict) and isinstance(whole, dict):
        keys = sorted({*found, *whole})
        return [each for key in keys for each in _unequal(found.get(key), whole.get(key), f"{where}/{key}")]
    if isinstance(found, list) and isinstance(whole, list) and where == "/files":
        return [f"file {path}" for path in sorted({*found} ^ {*whole})]
    return [] if found == whole else [where]


def main(
    runs: Annotated[int, typer.Option(help="Runs to kill.")] = 200,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Where the runs go; none = a temporary folder.")] = None,
) -> None:
    """Kill, resume and compare."""
    torch.set_num_threads(1)
    chance = random.Random(seed)
    with workplace(folder) as place:
        base = tiny_base(place / "base", WORLD)
        load_base(str(base), device="cpu", precision="fp32")  # every fork has it
        began = time.monotonic()
        ready = prepared(place / "ready", base)
        alone = SimulatedRun(shutil.copytree(ready.folder, place / "alone"))
        _, life = in_child(forget, alone.folder)
        if faults := faults_at_the_end(alone):
            raise SystemExit(f"the run left alone: {faults[0]}")
        whole, rows = content_of(alone), []
        for number in range(runs):
            moments = [(number + chance.random()) / runs, *(chance.random() for _ in range(2) if chance.random() < 0.3)]
            rows.append(one(number, moments, ready, whole, life))
            row = rows[-1]
            bad = [*row["served_wrongly"], *row["faults"], *row["unequal"]]
            print(f"{number + 1}/{runs} {[hit['hit'] for hit in row['kills']]} {bad or 'equal'}", flush=True)
        seconds = time.monotonic() - began
    hits = [hit["hit"] for row in rows for hit in row["kills"]]
    result = {
        "runs": runs,
        "killed": sum(hit != "ended before" for hit in hits),
        "equal": sum(not (row["faults"] or row["unequal"]) for row in rows),
        "served_wrongly": sum(bool(row["served_wrongly"]) for row in rows),
        "seconds": seconds,
        "life_cpu_seconds": life,
        "hit": dict(Counter(hits).most_common()),
        "not_compared": [
            *ANEW,
            "signature",
            "recipients: notified",
            f"evidence: {', '.join(WHEN)}",
            "files: -wal, -shm",
        ],
    }
    write_result("forget_kills", {**result, "each": rows})
    wrongly = f"{result['served_wrongly']} served what was withdrawn"
    print(f"{result['equal']} of {runs} ended equal, {wrongly}; {seconds:.0f} s")
    if result["equal"] < runs or result["served_wrongly"]:
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
