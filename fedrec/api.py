"""What the commands do, in the same words, for a notebook or a script.

    import fedrec

    run = fedrec.simulate(data="ratings.csv", shards=4, rounds=3)
    run.result["overall"]["auc"]
    run.recommend("anna", top=10)
    run.forget(user="anna").certificate

The front door, with `fedrec.comparison` and beside `fedrec.cli`: they alone in this package know server and unlearning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedrec.comparison import Comparison, compare

if TYPE_CHECKING:
    import pandas as pd

    from fedrec.config import RunConfig
    from fedrec.ensemble.ranking import Ranking
    from server.launch import Listener
    from server.simulated_run import SimulatedRun
    from server.transports.transport import Transport
    from unlearning.certificates.verify import Verdict


__all__ = ["Comparison", "Erasure", "Run", "compare", "open_run", "resume", "simulate"]


@dataclass(frozen=True)
class Erasure:
    """What came of a request.

    Attributes:
        id: of the request.
        state: "closed" where it is done, "failed" with the `reason`.
        claim: what the certificate says was done, "exact" or what else.
        certificate: its file; None where there is none.
        evidence: the folder that it is verified against; None where there is none.
        trusted: the operators' public keys by key id.
    """

    id: str
    state: str
    claim: str | None
    reason: str | None
    certificate: Path | None
    evidence: Path | None
    trusted: Mapping[str, bytes]

    def verify(self) -> Verdict:
        """The certificate checked offline, with its evidence and the operators' keys.

        Raises:
            FedrecError: there is none.
        """
        from fedrec.errors import FedrecError
        from unlearning.certificates.verify import verify_certificate

        if self.certificate is None:
            raise FedrecError(f"request {self.id} has no certificate: it is {self.state}, {self.reason}")
        return verify_certificate(self.certificate, bundle=self.evidence, trusted=self.trusted)


class Run:
    """A run: a federation's data, rounds, model and result, in a folder.

    Attributes:
        config: every setting.
        clients: their names, sorted.
        report: the run's page.
    """

    def __init__(self, stored: SimulatedRun) -> None:
        self._stored = stored
        self.folder: Path = stored.folder
        self.config: RunConfig = stored.config
        self.clients: tuple[str, ...] = stored.clients
        self.report = self.folder / "report.html"

    def __repr__(self) -> str:
        config = self.config
        return f"<fedrec run {self.folder}: {config.strategy}, {len(self.clients)} clients, {config.shards} shards>"

    @property
    def result(self) -> dict[str, Any]:
        """What was measured, as result.json has it; FedrecError as long as the run is not finished."""
        return self._stored.result

    def recommend(self, user: str, top: int = 10) -> Ranking:
        """The user's best unseen items by falling score; errors as `recommend_at`."""
        return self.recommend_at(user, top)[1]

    def recommend_at(self, user: str, top: int = 10) -> tuple[str, Ranking]:
        """The same, after the client that answers.

        Raises:
            UsageError: the run has no such user.
            FedrecError: the user's client serves no model, or one that was withdrawn.
        """
        from server.freshness import check_current

        self._stored.holder(user)
        check_current(self._stored)
        return self._stored.recommend(user, top)

    def scores(self) -> pd.DataFrame:
        """A row for each test row that was measured last: client, user, item, time (Unix seconds), label, score."""
        import pandas as pd

        ids, frames = self._stored.catalogue.ids, [pd.DataFrame()]
        for name in self.clients:
            if (kept := self._stored.client(name).ensemble.scores.read()) is not None:
                items = [ids[item] for item in kept.items]
                said = {"user": kept.users, "item": items, "time": kept.times}
                said |= {"label": kept.labels, "score": kept.scores}
                frames.append(pd.DataFrame({"client": name, **said}))
        return pd.concat(frames[1:] or frames, ignore_index=True)

    def evaluate(self, split: str = "test", per_user: Path | str | None = None) -> dict[str, Any]:
        """A split measured now, as `fedrec evaluate --json` tells it: `clients`, `overall`, `warm` and `cold` titles.

        Args:
            split: "valid" or "test".
            per_user: a file for a line a person, .parquet or .csv.

        Raises:
            UsageError: there is no such split, or no such file can be written.
            FedrecError: the split has no rows, or a client's home is not here or serves nothing that may answer.
        """
        from server.evaluate_split import evaluate_split

        return evaluate_split(self.folder, split, _path(per_user))

    def forget(
        self,
        user: str | None = None,
        *,
        client: str | None = None,
        items: Sequence[str] = (),
        since: str | None = None,
        until: str | None = None,
        requester: str | None = None,
        approver: str | None = None,
        signer: str | None = None,
        identity: str = "known-account",
        ground: str = "17(1)(b)",
        way: str = "exact",
        workers: str | int = "auto",
    ) -> Erasure:
        """A request submitted, approved and carried out at once, with every other one that is approved.

        Args:
            client, items, since, until: only these rows; days as 2026-01-31, both included.
            requester, approver, signer: operators; None = the first in force, who is made where there is none. The
                certificate says how many people they are. Their keys and passphrases are those of the environment
                (FEDREC_KEYS, FEDREC_PASSPHRASE).
            identity: how the person was identified.
            ground: the legal ground.
            way: exact, approximate, or bridge: as `fedrec forget run --way`.

        Raises:
            UsageError: nobody is so named, or nothing, or there is no such way.
            FedrecError: it cannot be carried out.
        """
        from fedrec.parallel.worker_count import parse_workers
        from server.host import RunHost
        from unlearning.commands.forget.carry_out import carry_out
        from unlearning.commands.forget.submit import Known, of_users, part_of
        from unlearning.way import way_named
        from unlearning.workflow.workflow import Workflow

        host, chosen = RunHost(self._stored), way_named(way)
        workflow = Workflow(self._stored)
        first = workflow.ensure_one()[0] if None in (requester, approver, signer) else ""
        part = part_of(workflow, client, items, since, until)
        users = (Known(self._stored, client).user("user", user),) if user is not None else ()
        request = workflow.submit(
            of_users(part, users), client=client, channel="python", ground=ground, requester=requester or first
        )
        workflow.approve(request.id, approver or first, identity)
        outcomes = carry_out(host, workflow, signer or first, workers=parse_workers(str(workers)), way=chosen)
        outcome = next(each for each in outcomes if each["id"] == request.id)
        documents = workflow.documents_of(request.id)
        return Erasure(
            **{key: outcome[key] for key in ("id", "state", "claim", "reason")},
            certificate=documents.get("certificate"),
            evidence=documents.get("evidence"),
            trusted=workflow.operators.publics(),
        )


def simulate(
    data: str | None = None,
    *,
    homes: Path | str | None = None,
    clients: int | None = None,
    rounds: int | None = None,
    strategy: str | Sequence[str] = (),
    shards: int | None = None,
    seed: int | None = None,
    base: str | None = None,
    settings: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    config: Path | None = None,
    out: Path | str | None = None,
    workers: str | int = "auto",
    transport: str = "processes",
    replace: bool = False,
    listener: Listener | None = None,
) -> Run:
    """Train a recommender in federated rounds on this machine, and measure it on each client's own later interactions.

    Args:
        data: file or folder; None = a generated world of films.
        homes: a folder of clients' homes, filled by `fedrec vault import`, to train with; they say what data there is.
        strategy: pplr, fedavg, fedprox, ditto, local or central; of several the others run as baselines.
        base: Hugging Face id or folder of the base model; None = the embedded Llama.
        settings: any others by their names, such as `{"train.lr": 1e-3}`; `fedrec settings` lists them.
        sets: `section.key=value`, over everything else.
        config: a configuration file, TOML, under everything else.
        out: the run's folder; None = a new one under runs/.
        workers: processes side by side; "auto" = as many as there are cores for.
        transport: how clients are reached, "processes" or "in-process".
        replace: throw away the run that `out` holds.
        listener: whom to tell what is going on.

    Raises:
        UsageError: names every wrong setting and value.
        FedrecError: it cannot be prepared or trained.
    """
    from server.launch import NOBODY, configured, start

    words: dict[str, Any] = {
        "data.path": data,
        "clients.count": clients,
        "federation.rounds": rounds,
        "shards": shards,
        "seed": seed,
    }
    words["base"] = base
    overrides = {**(settings or {}), **{name: value for name, value in words.items() if value is not None}}
    strategies = (strategy,) if isinstance(strategy, str) else strategy
    reached = _transport(transport, workers)
    resolved = configured(overrides, strategies, config, sets, _path(homes))
    return Run(start(resolved, _path(out), reached, listener or NOBODY, replace))


def resume(
    folder: Path | str,
    *,
    workers: str | int = "auto",
    transport: str = "processes",
    listener: Listener | None = None,
) -> Run:
    """A run that was stopped, finished as if it had not been; arguments as of `simulate`."""
    from server.launch import NOBODY
    from server.launch import resume as go_on

    return Run(go_on(Path(folder), _transport(transport, workers), listener or NOBODY))


def open_run(folder: Path | str | None = None) -> Run:
    """The run in a folder; without one, the newest under runs/.

    Raises:
        UsageError: there is none.
    """
    from server.simulated_run import open_run as stored

    return Run(stored(folder))


def _transport(name: str, workers: str | int) -> Transport:
    from fedrec.parallel.worker_count import parse_workers
    from server.transports import TRANSPORTS

    TRANSPORTS.check(name, "transport")
    return TRANSPORTS.load(name)(parse_workers(str(workers)))


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)
