"""The terminal's table and line."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fedrec.reporting.formatting import clean
from fedrec.reporting.run_console import ROUND_HEADER, done_line, print_results, round_line
from tests.reporting.results import make_comparison, make_result


def printed(result, width=140):
    console = Console(file=io.StringIO(), width=width)
    print_results(console, result)
    return console.file.getvalue()


def test_each_client_and_strategy_has_its_numbers():
    result = make_comparison()
    lines = printed(result).splitlines()
    before = {client["id"]: client["auc"] for client in result["history"][0]["clients"]}
    for client in result["clients"]:
        line = next(line for line in lines if line.startswith(client["id"]))
        assert f"{before[client['id']]:.4f}  {client['auc']:.4f}" in line
        assert f"{client['auc'] - before[client['id']]:+.4f}" in line
    for run in [result, *result["baselines"]]:
        line = next(line for line in lines if line.startswith(run["strategy"] + " "))
        assert f"{run['overall']['mean_auc']:.4f}" in line and f"{run['overall']['worst_auc']:.4f}" in line
    assert any(line.startswith("best possible (") and "0.8312" in line for line in lines)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["[red]x[/red]", "[/]", ":smile:"])
)
def test_a_name_is_no_markup(name):
    result = make_result(clients=1, rounds=1)
    result["clients"][0]["id"] = name
    assert clean(name) in printed(result)


def test_unknown_metrics_are_dashes():
    result = make_result(clients=1, rounds=0)
    result["clients"][0]["auc"] = float("nan")
    result["overall"] = {"examples": 0}
    assert printed(result).count("–") >= 8


def test_only_the_lowest_of_many_clients_are_listed():
    text = printed(make_result(clients=60, rounds=1))
    assert "(20 more, all with a higher AUC)" in text and text.count("client-") == 40


def test_a_round_is_one_line():
    entry = make_comparison()["history"][2]
    entry["dropped"][0]["reason"] = "two\nlines"
    line = round_line(entry)
    assert "\n" not in line and line.startswith("    2  ")
    assert f"{entry['overall']['auc']:.4f}" in line and "client-3 dropped: two lines" in line
    assert round_line(make_result()["history"][0]).startswith("start ")


def test_a_round_and_the_table_fit_a_terminal_of_80_columns():
    result = make_comparison()
    entry = result["history"][1] | {"dropped": [], "seconds": 754.3}
    line = round_line(entry)
    assert len(line) <= 79 and len(ROUND_HEADER) <= 79
    for name, cell in (("worst", f"{entry['overall']['worst_auc']:.4f}"), ("bytes", "MB")):
        assert ROUND_HEADER.index(name) + len(name) == line.index(cell) + len(cell), "columns end under their names"
    rows = [row for row in printed(result, 80).splitlines() if row.strip()]
    assert sum("client-" in row for row in rows) == 5
    assert len(rows) == (2 + 5 + 1 + 1) + (2 + 6) + (2 + 5 + 1), "no row is broken in two"


def test_intervals_stand_below_the_figures_of_all_rows():
    lines = printed(make_result()).splitlines()
    (line,) = (line for line in lines if line.startswith("± (95 %)"))
    assert line.split()[3:] == ["0.0123", "0.0234", "0.0345"]
    unknown = make_result()
    unknown["overall"] = {key: value for key, value in unknown["overall"].items() if "margin" not in key}
    assert "± (95 %)" not in printed(unknown)


def test_a_skipped_round_says_why():
    entry = make_result()["history"][1] | {"skipped": "1 good replies, 3 needed"}
    assert "skipped: 1 good replies, 3 needed" in round_line(entry)


def test_a_doubted_run_says_so():
    assert "warning" not in printed(make_result())
    doubted = make_result(trivial={"item": 0.6, "user": 0.91, "sum": None})
    (line,) = (line for line in printed(doubted).splitlines() if line.startswith("warning: "))
    assert "0.910, which the user's recent like-rate has" in line


def test_what_is_done_of_a_run_that_goes_on_is_one_line() -> None:
    assert done_line(None, 4) is None
    assert done_line(0, 4) == "the start is done, of 4: it goes on with round 1"
    assert done_line(1, 4) == "round 1 is done, of 4: it goes on with round 2"
    assert done_line(3, 4) == "rounds 1 to 3 are done, of 4: it goes on with round 4"
    assert done_line(4, 4) == "all rounds are done, 4 of 4"
