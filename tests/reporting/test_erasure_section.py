"""The erasure side of a run's page: what it tells, that the same facts give the same bytes, and hostile names."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.reporting.formatting import clean
from fedrec.reporting.run_page import render
from tests.reporting.erasures import TODAY, make_erasures, number
from tests.reporting.pages import HOSTILE, Page, assert_ids_resolve, assert_self_contained, browse, browser
from tests.reporting.results import make_result

RESULT = make_result(clients=2, rounds=0)


def texts(erasures):
    return Page(render(RESULT, erasures)).texts


def between(found, first, last):
    return found[found.index(first) : found.index(last)]


def test_a_run_without_requests_has_no_such_section():
    assert "Requests to be forgotten" not in texts(None)
    assert render(RESULT) == render(RESULT, None)


def test_states_are_counted_and_late_ones_lead_and_are_marked():
    found = texts(make_erasures())
    assert "2 late" in found and "5 refused" in found
    shown = between(found, "Open, and until when", "Closed, and what each took")
    assert [text for text in shown if text.startswith("0000")] == [number(k) for k in range(4)]
    assert [text.partition(", late")[2] for text in shown if "late by" in text] == [" by 9 days", " by 1 day"]
    late = [attrs for attrs in Page(render(RESULT, make_erasures())).named("td") if attrs.get("class") == "late"]
    assert len(late) == 2
    assert "2026-03-30, extended" in shown and "2026-03-10" in shown  # on the last day it is not late


def test_every_closed_one_says_what_it_took_and_links_its_certificate():
    page = Page(render(RESULT, make_erasures()))
    shown = between(page.texts, "Closed, and what each took", "How many people are in which shard")
    for k in range(3):
        row = shown[shown.index(number(100 + k)) :]
        links = ["not here"] if k == 1 else ["page", "·", "signed"]
        took = [str(k), "2", f"{0.25 + k:.2f} s", f"1 min {30 + k} s"]
        assert row[1 : 7 + len(links)] == ["a person", f"2026-03-{10 - k:02d}", *links, *took]
    links = [attrs["href"] for attrs in page.named("a")]
    assert links == [
        path
        for k in (0, 2)
        for path in (f"erasure/documents/{number(100 + k)}.html", f"erasure/certificates/{number(100 + k)}.json")
    ]
    newest = number(100)
    checked = f"fedrec forget verify erasure/certificates/{newest}.json --bundle erasure/bundles/{newest}"
    assert f"{checked} --key operators.pem" in page.texts


def test_the_shard_map_counts_people_and_adds_up():
    found = texts(make_erasures())
    shown = between(found, "How many people are in which shard", "How it was made")
    assert shown[1:14] == [
        "Client, by shard",
        "0",
        "1",
        "2",
        "All",
        "client-0",
        "4",
        "0",
        "12",
        "16",
        "client-1",
        "7",
        "9",
    ]
    assert shown[15:21] == ["17", "All clients", "11", "9", "13", "33"]


def test_many_closed_ones_are_folded_away_and_none_is_left_out():
    page = Page(render(RESULT, make_erasures(closed=60)))
    assert "All 60 closed requests" in page.texts
    assert {number(100 + k) for k in range(60)} <= set(page.texts)


def test_nothing_has_come_in():
    found = texts(replace(make_erasures(), counts={}, waiting=[], closed=[]))
    assert f"No request has come in, as of {TODAY}, UTC." in found
    assert "Open, and until when" not in found and "Closed, and what each took" not in found


def test_the_same_facts_give_the_same_bytes_on_any_day():
    assert render(RESULT, make_erasures()) == render(RESULT, make_erasures())


def test_the_page_stays_self_contained_but_for_links_into_its_folder():
    source = render(RESULT, make_erasures())
    assert_self_contained(source.replace('href="erasure/', 'href="#erasure/'))
    assert_ids_resolve(source.replace(' href="erasure/', ' title="erasure/'))


def named(name):
    """Every text that the facts hold, replaced."""
    made = make_erasures()
    return replace(
        made,
        waiting=[replace(request, id=name, kind=name, state=name) for request in made.waiting],
        closed=[replace(request, id=name, kind=name) for request in made.closed],
        people={f"{k}{name}": counts for k, counts in enumerate(made.people.values())},
    )


TAME = [tag for tag, _ in Page(render(RESULT, named("name"))).tags]


@settings(max_examples=5, deadline=None)
@given(st.text(max_size=40) | st.sampled_from(HOSTILE))
def test_a_name_never_changes_the_section_s_structure(name):
    page = Page(render(RESULT, named(name)))
    assert [tag for tag, _ in page.tags] == TAME
    assert " ".join(clean(name).split()) in page.texts
    assert all(attrs["href"].startswith("erasure/") and attrs["href"].count("/") >= 2 for attrs in page.named("a"))


@browser
@pytest.mark.slow
def test_a_browser_does_not_complain(tmp_path):
    page = tmp_path / "report.html"
    page.write_text(render(RESULT, make_erasures()), "utf-8")
    assert browse(page, "--screenshot=" + str(tmp_path / "page.png")) == []
