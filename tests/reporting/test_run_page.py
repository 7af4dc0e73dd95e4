"""The report page: complete, self-contained, deterministic, safe with hostile names, and visible in a browser."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.reporting.formatting import clean, size
from fedrec.reporting.run_page import render, write_report
from tests.reporting.pages import HOSTILE, Page, assert_ids_resolve, assert_self_contained, browse, browser, screenshot
from tests.reporting.results import make_comparison, make_result


def renamed(result, names):
    """The result with other client ids everywhere."""
    new = {client["id"]: name for client, name in zip(result["clients"], names, strict=True)}

    def walk(content):
        if isinstance(content, dict):
            return {new.get(key, key): walk(value) for key, value in content.items()}
        if isinstance(content, list):
            return [walk(value) for value in content]
        return new.get(content, content) if isinstance(content, str) else content

    return walk(result)


def test_the_page_tells_the_numbers():
    result = make_comparison()
    texts = Page(render(result)).texts
    overall = result["overall"]
    shares = f"{(overall['auc'] - 0.5) / (result['best_possible_auc'] - 0.5):.0%}"
    total = size(result["bytes_up"] + result["bytes_down"])
    for value in (f"{overall['auc']:.4f}", f"{overall['worst_auc']:.4f}", shares, total, result["adapter_hash"]):
        assert value in texts
    for run in [result, *result["baselines"]]:
        assert run["strategy"] in texts and f"{run['overall']['std_auc']:.4f}" in texts
    for client, before in zip(result["clients"], result["history"][0]["clients"], strict=True):
        assert f"{before['auc']:.4f} →" in texts and f"{client['auc']:.4f}" in texts
    assert {"train.lr", "0.001", "stale: answers round 1, expected 2"} <= set(texts)


def test_the_page_warns_of_a_run_that_counting_beats():
    assert "Warning." not in render(make_result())
    page = render(make_result(trivial={"item": 0.6, "user": 0.91, "sum": None}))
    assert re.search(r"Warning\.</strong> AUC 0\.\d+ is below 0\.910", page)


def test_every_figure_is_drawn_and_described():
    page = Page(render(make_comparison()))
    assert len(page.named("svg")) == 7
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.named("svg"))


def test_the_page_is_self_contained():
    assert_self_contained(render(make_comparison()))


def test_ids_are_unique_and_references_resolve():
    assert_ids_resolve(render(make_comparison(shards=2)))


def test_the_same_result_gives_the_same_bytes():
    assert render(make_comparison()) == render(make_comparison())


def test_a_result_read_back_from_disk_gives_the_same_bytes(tmp_path):
    """So `fedrec report` writes what `simulate` would, after `flwr run`, which writes no page."""
    result = make_comparison(clients=2)
    result["overall"]["uauc"] = float("nan")
    write_json(tmp_path / "result.json", result)
    assert render(read_json(tmp_path / "result.json")) == render(result)


def named_run():
    result = make_result(clients=2, rounds=2)
    result["history"][2]["dropped"] = [{"client": "client-1", "reason": "client-0"}]
    return result


TAME = [tag for tag, _ in Page(render(named_run())).tags]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(HOSTILE), min_size=2, max_size=2, unique=True))
def test_a_name_never_changes_the_page_s_structure(names):
    page = Page(render(renamed(named_run(), names)))
    assert [tag for tag, _ in page.tags] == TAME
    assert {" ".join(clean(name).split()) for name in names} <= set(page.texts)


def test_hostile_words_elsewhere_are_only_words():
    bad = "<img src=x onerror=alert(1)>"
    result = make_comparison(clients=2) | {"run": bad, "data": bad, "base": bad, "notes": [bad], "adapter_hash": bad}
    result["config"] = {bad: {bad: bad}}
    result["baselines"][0]["strategy"] = bad
    page = Page(render(result))
    assert not page.named("img") and page.texts.count(bad) >= 6


SHAPES = [
    {"clients": 1, "rounds": 0},
    {"clients": 1, "rounds": 3},
    {"clients": 3, "rounds": 1, "shards": 3},
    {"clients": 4, "strategy": "central"},
    {"clients": 3, "rounds": 2, "best_possible_auc": None},
    {"clients": 3, "rounds": 2, "history": []},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_size_of_run_has_a_page(shape):
    result = make_result(**shape)
    texts = Page(render(result)).texts
    assert all(client["id"] in texts for client in result["clients"])


def test_a_run_in_which_no_client_was_measured_has_a_page():
    result = make_result(clients=1, rounds=1)
    for measured in (result, *result["history"]):
        measured |= {"clients": [], "overall": {"examples": 0}}
    assert "No test row could be ranked, so there is no AUC to report." in Page(render(result)).texts


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_unknown_metrics_become_dashes(missing):
    def unknown(content):
        if isinstance(content, dict):
            return {key: unknown(value) for key, value in content.items()}
        if isinstance(content, list):
            return [unknown(value) for value in content]
        return missing if isinstance(content, float) else content

    result = make_comparison(clients=2, rounds=2)
    seconds = result["seconds"]
    page = Page(render(unknown(result) | {"seconds": seconds}))
    assert page.texts.count("–") > 20 and not [text for text in page.texts if re.fullmatch("nan|None", text)]


def test_many_clients_are_drawn_by_the_lowest_and_listed_in_full():
    result = make_result(clients=45, rounds=1)
    page = Page(render(result))
    assert all(client["id"] in page.texts for client in result["clients"])
    assert any("The 40 clients with the lowest AUC of 45 are drawn." in text for text in page.texts)


def test_a_round_without_everybody_names_its_participants():
    result = make_result(clients=4, rounds=2)
    entry = result["history"][2]
    entry["participants"] = ["client-3", "client-1"]
    entry["similarity"] = entry["weights"] = [[[0.75, 0.25], [0.125, 0.875]]]
    entry["heating"] = [[0.9, 0.8]]
    titles = Page(render(result)).texts
    assert "of the new model of client-3, the share of client-1: 0.250" in titles
    assert "client-1 and client-3: 0.125" in titles


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FedrecError, match=r"^.*report\.html: cannot write the report .*$"):
        write_report(make_result(clients=1, rounds=0), tmp_path / "file" / "report.html")


@browser
@pytest.mark.parametrize(
    ("scheme", "page", "line"),
    [("light", (244, 244, 242), (33, 102, 212)), ("dark", (15, 17, 21), (79, 157, 255))],
)
def test_the_screenshot_shows_the_page_in_light_and_dark(tmp_path, scheme, page, line):
    write_report(make_comparison(), tmp_path / "report.html")
    pixels = screenshot(tmp_path / "report.html", scheme, 2600)
    assert (pixels[:, :10] == page).all(), "the margin is the page's colour: nothing runs out of its column"
    assert (pixels[:, -10:] == page).all()
    assert (pixels == line).all(axis=2).sum() > 5000, "the bars and curves are drawn in the page's first series colour"
    busy = (np.abs(np.diff(pixels, axis=1)).sum(axis=2) > 60).any(axis=1)
    assert busy.mean() > 0.5, "text and figures all the way down"


@browser
def test_the_page_prints(tmp_path):
    page, paper = tmp_path / "report.html", tmp_path / "page.pdf"
    write_report(make_comparison(), page)
    assert browse(page, f"--print-to-pdf={paper}", "--blink-settings=preferredColorScheme=0") == []
    content = paper.read_bytes()
    assert content.startswith(b"%PDF") and 3 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 9
