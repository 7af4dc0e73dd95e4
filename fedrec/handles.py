"""What `fedrec.api` hands out: a run, a comparison of methods, and what came of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from fedrec.config import RunConfig
    from fedrec.ensemble.ranking import Recommendation
    from server.simulation.run import SimulatedRun
    from unlearning.certificates.verify import Verdict


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
    """A run: a federation's data, rounds, model and result, in a folder."""

    def __init__(self, stored: SimulatedRun) -> None:
        self._stored = stored

    def __repr__(self) -> str:
        config = self.config
        return f"<fedrec run {self.folder}: {config.strategy}, {len(self.clients)} clients, {config.shards} shards>"

    @property
    def folder(self) -> Path:
        return self._stored.folder

    @property
    def config(self) -> RunConfig:
        """Every setting."""
        return self._stored.config

    @property
    def clients(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return self._stored.clients

    @property
    def result(self) -> dict[str, Any]:
        """What was measured, as result.json has it; FedrecError as long as the run is not finished."""
        return self._stored.result

    @property
    def report(self) -> Path:
        """The run's page."""
        return self.folder / "report.html"

    def recommend(self, user: str, top: int = 10) -> list[Recommendation]:
        """The user's best unseen items by falling score; errors as `recommend_at`."""
        return self.recommend_at(user, top)[1]

    def recommend_at(self, user: str, top: int = 10) -> tuple[str, list[Recommendation]]:
        """The same, after the client that answers.

        Raises:
            UsageError: the run has no such user.
            FedrecError: the user's client serves no model, or one that was withdrawn.
        """
        from server.integrity.freshness import check_current

        check_current(self._stored)
        return self._stored.recommend(user, top)

    def scores(self) -> pd.DataFrame:
        """A row for each test row that was measured last: client, user, item, time (Unix seconds), label, score."""
        import pandas as pd

        kept = {name: self._stored.client(name).ensemble.scores.read() for name in self.clients}
        items = self._stored.catalogue.ids
        frames = [
            pd.DataFrame(
                {
                    "client": name,
                    "user": scores["users"],
                    "item": [items[item] for item in scores["items"]],
                    "time": scores["times"],
                    "label": scores["labels"],
                    "score": scores["scores"],
                }
            )
            for name, scores in kept.items()
            if scores is not None
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

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

        Raises:
            UsageError: nobody is so named, or nothing.
            FedrecError: it cannot be carried out.
        """
        from fedrec.parallel.worker_count import parse_workers
        from server.host import RunHost
        from unlearning.commands.forget.carry_out import carry_out
        from unlearning.commands.forget.submit import known_user, of_users, part_of
        from unlearning.workflow.workflow import Workflow

        host = RunHost(self._stored)
        workflow = Workflow(self._stored)
        first = workflow.ensure_one()[0] if None in (requester, approver, signer) else ""
        part = part_of(workflow, client, items, since, until)
        users = (known_user(self._stored, client, "user", user),) if user is not None else ()
        request = workflow.submit(
            of_users(part, users), client=client, channel="python", ground=ground, requester=requester or first
        )
        workflow.approve(request.id, approver or first, identity)
        outcomes = carry_out(host, workflow, signer or first, workers=parse_workers(str(workers)))
        outcome = next(each for each in outcomes if each["id"] == request.id)
        documents = workflow.documents_of(request.id)
        return Erasure(
            request.id, outcome["state"], outcome["claim"], outcome["reason"],
            documents.get("certificate"), documents.get("evidence"), workflow.operators.publics(),
        )  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Methods of unlearning side by side.

    Attributes:
        result: as compare.json in the folder has it.
    """

    folder: Path
    result: dict[str, Any]

    @property
    def report(self) -> Path:
        """Its page."""
        return self.folder / "report.html"

    def methods(self) -> pd.DataFrame:
        """A row for each method and seed: AUC before and after the deletion, cost, and whether it was exact."""
        import pandas as pd

        return pd.DataFrame(self.result["methods"])
