"""The numbers derived from a result."""

import pytest

from fedrec.reporting import run_result
from tests.reporting.results import make_comparison, make_result


def test_share_of_the_distance():
    assert run_result.share_of_possible({"overall": {"auc": 0.74}, "best_possible_auc": 0.8}) == pytest.approx(0.8)
    assert run_result.share_of_possible({"overall": {"auc": 0.74}, "best_possible_auc": None}) is None


def test_the_beaten_scorers():
    result = {"overall": {"auc": 0.7}, "trivial": {"item": 0.6, "user": 0.7, "sum": None}}
    assert run_result.beats(result) == ["item"]


def test_the_lowest_clients_are_shown_in_their_order():
    result = make_result(clients=60)
    shown = [client["id"] for client in run_result.shown_clients(result)]
    aucs = {client["id"]: client["auc"] for client in result["clients"]}
    assert len(shown) == run_result.MAX_CLIENTS and shown == [id for id in aucs if id in shown]
    assert max(aucs[id] for id in shown) <= min(auc for id, auc in aucs.items() if id not in shown)
    assert len(run_result.hidden_clients(result)) == 20


def test_missing_and_not_a_number_become_none():
    result = make_result(clients=2, rounds=1)
    del result["overall"]["auc"], result["history"][0]["overall"]["mean_auc"], result["clients"][0]["users"]
    result["clients"][1]["auc"] = float("nan")
    done = run_result.complete(result)
    assert done["overall"]["auc"] is None and done["history"][0]["overall"]["mean_auc"] is None
    assert done["clients"][0]["users"] is None and done["clients"][1]["auc"] is None
    assert run_result.complete(done) == done


def test_other_runs_stand_beside_the_first():
    joined = run_result.beside(make_comparison(clients=2), [make_comparison(clients=2, seed=3)])
    names = [name for name, _ in run_result.contenders(joined)]
    assert names[0] == "pplr (pplr-demo) #1" and len(set(names)) == len(names) == 7
    assert joined["baselines"][-1]["baselines"] == []


def doubted(auc, *before, **trivial):
    history = [{"round": number, "overall": {"auc": value}} for number, value in enumerate((*before, auc))]
    return " ".join(run_result.doubts({"overall": {"auc": auc}, "trivial": trivial, "history": history}))


def test_a_run_that_counting_or_less_training_beats_is_doubted():
    assert doubted(0.55, 0.5, 0.52, item=0.54, sum=None) == ""
    assert "below 0.808, which the sum of the two has" in doubted(0.551, 0.5, item=0.6, sum=0.808)
    assert "0.551 after the last round is below the 0.751 after round 1" in doubted(0.551, 0.706, 0.751)
    assert "below the 0.706 of the model before any training" in doubted(0.681, 0.706)
    assert doubted(None, 0.9, item=0.9) == ""


def test_a_run_that_ranks_worse_than_counting_is_doubted():
    overall = {"auc": 0.75, "uauc_at_split": 0.545}
    result = {"overall": overall, "trivial": {"sum": 0.7}, "history": []}
    ranked = {"trivial_uauc_at_split": {"effects": 0.679, "item": None}}
    assert run_result.doubts(result) == []
    (doubt,) = run_result.doubts(result | ranked)
    assert doubt.startswith("UAUC at the split 0.545 is below 0.679, which the titles' effects")
