"""Ranking from the history at the split: measured when the model is done, pooled over the clients, restated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.client import Client
from fedrec.data.dataset import TEST
from fedrec.ensemble.at_split import scores_at_split
from fedrec.metrics import auc
from server.simulated_run import SimulatedRun
from tests.conftest import Copy, Settings
from tests.server.test_federated_executor import asked, execution, of
from tests.server.test_federation import ran


def by_hand(run: SimulatedRun) -> dict[str, dict[str, float]]:
    """By client and person who can be ranked, the AUC."""
    found = {}
    for name in run.clients:
        client = Client(run.client(name))
        rows, answers = client.interactions, client.ensemble.answers(client.config, client.base, client.encoder)
        test = rows.split == TEST
        scores = scores_at_split(answers, client.encoder, rows, test)
        answers.close()
        people = {id_: test & (rows.user == user) for user, id_ in enumerate(rows.user_ids)}
        aucs = {id_: auc(scores[mine], rows.label[mine]) for id_, mine in people.items()}
        found[name] = {id_: value for id_, value in aucs.items() if not math.isnan(value)}
    return found


def agrees(run: SimulatedRun) -> dict[str, Any]:
    result, aucs = run.result, by_hand(run)
    for client in result["clients"]:
        mine = aucs[client["id"]].values()
        assert len(mine) == client["ranked"]
        assert client["uauc_at_split"] == (pytest.approx(math.fsum(mine) / len(mine)) if mine else None)
    everybody = [value for mine in aucs.values() for value in mine.values()]
    assert result["overall"]["uauc_at_split"] == pytest.approx(np.mean(everybody))
    return result


def test_the_last_round_is_measured_and_an_erasure_restates_it(finished: Copy, tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    before = agrees(run)
    *earlier, last = before["history"]
    assert all(each["uauc_at_split"] is None for entry in earlier for each in (entry["overall"], *entry["clients"]))
    assert last["overall"] == before["overall"]
    asked(run, *of(*next(iter(by_hand(run).values()))))
    execution(run).run()
    after = agrees(SimulatedRun(run.folder))
    assert sum(client["ranked"] for client in after["clients"]) < sum(client["ranked"] for client in before["clients"])


@pytest.mark.parametrize(("when", "known"), [("always", True), ("never", False)])
def test_it_is_measured_when_it_is_asked_for(tmp_path: Path, small: Settings, when: str, known: bool) -> None:
    result = ran(tmp_path / "run", small(evaluate__at_split=when, federation__rounds=1, train__epochs=1))
    assert [(entry["overall"]["uauc_at_split"] is not None) for entry in result["history"]] == [known] * 2
    assert result["overall"]["uauc"] is not None


def test_a_client_that_tells_metrics_only_is_pooled_by_its_ranked_people(tmp_path: Path, small: Settings) -> None:
    result = ran(tmp_path / "run", small(evaluate__sharing="metrics", federation__rounds=0))
    clients = [client for client in result["clients"] if client["ranked"]]
    values, people = ([client[key] for client in clients] for key in ("uauc_at_split", "ranked"))
    assert result["overall"]["uauc_at_split"] == pytest.approx(np.average(values, weights=people))
