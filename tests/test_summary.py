"""Derived numbers and their spelling."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec import summary
from tests.results import make_comparison, make_result

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@given(st.integers(0, 10**15))
def test_a_size_reads_back_to_half_a_percent(count):
    value, unit = summary.size(count).split()
    assert float(value) * UNITS[unit] == pytest.approx(count, rel=6e-3)
    assert float(value) < 1000 or unit == "TB"


@given(st.floats(0, 1e6))
def test_a_duration_reads_back(seconds):
    words = summary.duration(seconds).split()
    factor = {"s": 1, "min": 60, "h": 3600}
    read = sum(float(value) * factor[unit] for value, unit in zip(words[::2], words[1::2], strict=True))
    assert read == pytest.approx(seconds, abs=60 if "h" in words else 0.51)


@given(st.text(), st.integers(2, 80))
def test_a_clean_name_is_one_short_visible_line(text, width):
    name = summary.clean(text, width)
    assert 1 <= len(name) <= width
    assert not any(unicodedata.category(letter)[0] in "CZ" and letter != " " for letter in name)
    assert summary.clean(name, width) == name


@given(st.lists(st.text("ab#1 \n\u202e", max_size=4), max_size=6))
def test_labels_never_coincide(names):
    assert len(set(summary.labels(names, 3))) == len(names)


def test_share_of_the_distance():
    assert summary.share_of_possible({"overall": {"auc": 0.74}, "best_possible_auc": 0.8}) == pytest.approx(0.8)
    assert summary.share_of_possible({"overall": {"auc": 0.74}, "best_possible_auc": None}) is None


def test_the_beaten_scorers():
    result = {"overall": {"auc": 0.7}, "trivial": {"item": 0.6, "user": 0.7, "sum": None}}
    assert summary.beats(result) == ["item"]


def test_the_lowest_clients_are_shown_in_their_order():
    result = make_result(clients=60)
    shown = summary.shown_clients(result)
    aucs = [client["auc"] for client in result["clients"]]
    assert len(shown) == summary.MAX_CLIENTS and shown == sorted(shown)
    assert max(aucs[k] for k in shown) <= min(aucs[k] for k in range(60) if k not in shown)
    assert len(summary.hidden_clients(result)) == 20


def test_missing_and_not_a_number_become_none():
    result = make_result(clients=2, rounds=1)
    del result["overall"]["auc"], result["history"][0]["overall"]["mean_auc"], result["clients"][0]["users"]
    result["clients"][1]["auc"] = float("nan")
    done = summary.complete(result)
    assert done["overall"]["auc"] is None and done["history"][0]["overall"]["mean_auc"] is None
    assert done["clients"][0]["users"] is None and done["clients"][1]["auc"] is None
    assert summary.complete(done) == done


def test_other_runs_stand_beside_the_first():
    joined = summary.beside(make_comparison(clients=2), [make_comparison(clients=2, seed=3)])
    names = [name for name, _ in summary.contenders(joined)]
    assert names[0] == "pplr (pplr-demo) #1" and len(set(names)) == len(names) == 7
    assert joined["baselines"][-1]["baselines"] == []


def test_settings_are_flat():
    assert summary.flat({"a": 1, "b": {"c": {"d": None}, "e": {}}}) == [("a", 1), ("b.c.d", None), ("b.e", {})]


def doubted(auc, *before, **trivial):
    history = [{"round": number, "overall": {"auc": value}} for number, value in enumerate((*before, auc))]
    return " ".join(summary.doubts({"overall": {"auc": auc}, "trivial": trivial, "history": history}))


def test_a_run_that_counting_or_less_training_beats_is_doubted():
    assert doubted(0.55, 0.5, 0.52, item=0.54, sum=None) == ""
    assert "below 0.808, which the sum of the two has" in doubted(0.551, 0.5, item=0.6, sum=0.808)
    assert "0.551 after the last round is below the 0.751 after round 1" in doubted(0.551, 0.706, 0.751)
    assert "below the 0.706 of the model before any training" in doubted(0.681, 0.706)
    assert doubted(None, 0.9, item=0.9) == ""
