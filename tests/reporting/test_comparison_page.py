"""The page of a comparison: complete, honest about the unknown, safe with hostile names, visible in a browser."""

import copy
import re
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.errors import FedrecError
from fedrec.reporting.comparison_page import render, write_page
from fedrec.reporting.comparison_result import EXACTNESS, Standing, standings
from fedrec.reporting.formatting import clean
from tests.reporting.pages import HOSTILE, Page, assert_ids_resolve, assert_self_contained, browser, screenshot

CLAIMS = {"sisa": "given-partition", "apa-nd": "given-partition", "strict-hash": "strict"}


def make_result(methods=CLAIMS, seeds=(1, 2, 3), **changes):
    """A made-up comparison: each later method is a little worse and a fifth cheaper."""
    rng = np.random.default_rng(5)
    rows = []
    for seed in seeds:
        full = {"auc": 0.79 + 0.01 * rng.normal(), "rows": 5000 + seed, "steps": 290, "seconds": 41.0 + seed}
        for k, (name, exact) in enumerate({"retraining": "strict", **methods}.items()):
            auc = full["auc"] - (0.004 * k + 0.001 * rng.uniform() if k else 0.0)
            part = max(0.05, 1 - 0.2 * k)
            rows.append({
                "name": name, "partition": "hash", "aggregator": "apa-nd", "seed": seed, "shards": 4 if k else 1,
                "slices": 1, "auc_before": auc + 0.002, "uauc_before": 0.75, "logloss_before": 0.57, "auc_after": auc,
                "uauc_after": auc - 0.05, "uauc_at_split_after": auc - 0.03,
                "logloss_after": 1.05 - 0.6 * auc, "rows_trained": full["rows"],
                "seconds_trained": 40.0, "rows_processed": round(part * full["rows"]), "steps": round(part * 290),
                "seconds": part * full["seconds"], "withdrawn_seconds": 0.002 + 0.001 * k, "shards_touched": 1 + k,
                "exact": exact, "balance": 1.0 + 0.1 * k, "shards_per_user": 1.0 + k, "separation": 0.01 * k,
                "like_rate_spread": 0.02, "bytes": 2_260_412 + k, "retrain_auc": full["auc"],
                "difference": auc - full["auc"], "rows_full": full["rows"], "steps_full": 290,
                "seconds_full": full["seconds"],
            })  # fmt: skip
    speed = {"ND": 0.2, "D": 0.3, "passes": 4.0}
    return {
        "data": "generated", "base": "base-a958", "unit": "user", "forget": 2, "seeds": list(seeds), "shards": 4,
        "slices": 1, "trivial": {"item": 0.61, "user": 0.71, "sum": 0.76}, "best_possible_auc": 0.8668,
        "notes": ["generated world, seed 7"], "methods": rows,
        "inference": [
            {"shards": shards, "form": form, "seconds_per_row": 0.004 + 0.001 * slope * shards}
            for shards in (1, 4, 8, 16) for form, slope in speed.items()
        ],
        "config": {"seed": 42, "federation": {"rounds": 4}, "train": {"lr": 0.0015}, "aggregation": {"tau": 10.0}},
    } | changes  # fmt: skip


def named(method, result):
    return next(standing for standing in standings(result) if standing.name == method)


def test_the_page_tells_means_spreads_and_shares():
    result = make_result()
    texts = Page(render(result)).texts
    for name in ("retraining", *CLAIMS):
        rows = [row for row in result["methods"] if row["name"] == name]
        aucs = [row["auc_after"] for row in rows]
        assert f"{statistics.fmean(aucs):.4f}" in texts and f"± {statistics.stdev(aucs):.4f}" in texts
        share = sum(row["rows_processed"] for row in rows) / sum(row["rows_full"] for row in rows)
        assert f"{share:.0%}" in texts
    assert {"train.lr", "aggregation.tau", "0.8668", "given its partition", "2.26 MB"} <= set(texts)
    assert not {"seed", "federation.rounds"} & set(texts), "settings that nothing here reads"


def test_the_headline_names_the_cheapest_and_the_best():
    texts = " ".join(Page(render(make_result())).texts)
    assert "2 users were deleted from generated." in texts
    assert re.search(
        r"The cheapest exact method, strict-hash, trains again on 40% of the rows .* below Retraining's", texts
    )
    assert re.search(r"The one with the highest AUC, sisa, trains again on 80% of the rows", texts)


def test_a_method_that_is_not_exact_is_never_the_headline():
    texts = " ".join(Page(render(make_result(CLAIMS | {"cheat": "no"}))).texts)
    assert "The cheapest exact method, strict-hash," in texts
    alone = " ".join(Page(render(make_result({"cheat": "no"}))).texts)
    assert "Beside Retraining, no method was exact." in alone


def test_one_method_is_called_neither_cheapest_nor_best_and_gets_no_star():
    source = render(make_result({"strict-hash": "strict"}))
    assert "The method, strict-hash," in " ".join(Page(source).texts)
    assert 'n best"' not in source and "A star" not in source


def test_one_seed_has_no_spread():
    source = render(make_result(seeds=(7,), forget=1))
    assert "±" not in source and "1 user was deleted" in source


def test_the_weakest_claim_of_any_seed_stands():
    result = make_result()
    result["methods"][-1]["exact"] = "no"
    assert named("strict-hash", result).exact == "no"
    assert list(EXACTNESS) == ["strict", "given-partition", "no"], "from the strongest to the weakest"


def test_stars_mark_the_best_beside_retraining():
    result = make_result()
    for row in result["methods"]:
        row["shards_touched"] = 1 + (row["name"] not in ("retraining", "sisa"))
    rows = render(result).split("<tr>")
    costs = [row for row in rows if "strict-hash</bdi>" in row][1]
    fewest = named("strict-hash", result).mean("rows_processed")
    assert f'<td class="n best">{fewest:,.0f} '.replace(",", "\u202f") in costs
    assert [row for row in rows if "sisa</bdi>" in row and '<td class="n best">1.00</td>' in row]
    assert not [row for row in rows if "retraining</bdi>" in row and "best" in row]
    assert '<td class="n best">2.26 MB' not in render(result), "what reads alike is no better"


@given(st.lists(st.none() | st.floats(0.5, 1), min_size=1, max_size=4))
def test_a_mean_needs_every_seed_and_a_spread_two(values):
    standing = Standing("a", tuple({"auc": value} for value in values))
    known = [value for value in values if value is not None]
    assert (standing.mean("auc") is None) == (len(known) < len(values))
    assert (standing.std("auc") is None) == (len(known) < len(values) or len(values) < 2)


def forgotten(**changes):
    """The same, with approximate methods and what they left of the deleted rows."""
    result = make_result({"e2urec": "no", "neggrad": "no", "strict-hash": "strict"})
    for k, row in enumerate(result["methods"]):
        left = 0.01 * (k % 4)
        told = {"jsd": left / 9, "jsd_scatter": 10 * left, "l2": left, "l2_scatter": 8 * left}
        row |= told | {f"membership_auc{end}": 0.5 + left for end in ("", "_low", "_high")} | changes
    return result


@pytest.mark.parametrize("changes", [{}, {"jsd_scatter": None, "l2_scatter": None, "membership_auc": None}])
def test_how_well_it_was_forgotten_is_shown_where_a_method_is_approximate(changes):
    source = render(forgotten(**changes))
    assert "How well it was forgotten" in source and "How well it was forgotten" not in render(make_result())
    assert len(re.findall(r"<svg", source)) == 5 and "e2urec 80%" in source
    assert_ids_resolve(source)


def test_every_figure_is_drawn_described_and_in_the_page_s_colours():
    source = render(make_result())
    svgs = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    assert len(svgs) == 4 and all(svg["role"] == "img" and svg["aria-label"] for svg in Page(source).named("svg"))
    for svg in svgs:
        plain = re.sub(r'"#[^"]*"|url\([^)]*\)', "", svg)
        assert not re.search(r"#[0-9a-f]{6}\b", plain) and "font-family" not in plain
        uncoloured = [style for style in re.findall(r"<text[^>]*style=\"([^\"]*)\"", svg) if "fill: " not in style]
        assert not uncoloured, "a text without a colour is black in the dark"


def test_the_page_is_self_contained_with_ids_that_resolve():
    source = render(make_result())
    assert_self_contained(source)
    assert_ids_resolve(source)


def test_the_same_result_gives_the_same_bytes_and_stays_as_it_was():
    result = make_result()
    before = copy.deepcopy(result)
    assert render(result) == render(make_result()) and result == before


TAME = [tag for tag, _ in Page(render(make_result({"a": "strict", "b": "no"}, seeds=(1,)))).tags]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(HOSTILE), min_size=2, max_size=2, unique=True))
def test_a_name_never_changes_the_page_s_structure(names):
    page = Page(render(make_result({names[0]: "strict", names[1]: "no"}, seeds=(1,), data=names[0], base=names[1])))
    assert [tag for tag, _ in page.tags] == TAME
    assert " ".join(clean(names[1]).split()) in " ".join(page.texts)


def test_hostile_words_elsewhere_are_only_words():
    bad = "<img src=x onerror=alert(1)>"
    result = make_result(data=bad, base=bad, notes=[bad], config={bad: {bad: bad}}, trivial={bad: 0.6})
    for row in result["methods"]:
        row |= {"partition": bad, "aggregator": bad}
    for row in result["inference"]:
        row["form"] = bad if row["form"] == "D" else row["form"]
    page = Page(render(result))
    assert not page.named("img") and page.texts.count(bad) >= 6


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_what_is_unknown_becomes_a_dash(missing, seeds):
    result = make_result(seeds=seeds)
    for row in (*result["methods"], *result["inference"]):
        row |= {key: missing for key, value in row.items() if isinstance(value, float)}
    page = Page(render(result | {"best_possible_auc": missing, "trivial": {"item": missing}}))
    assert page.texts.count("–") > 20 and not [text for text in page.texts if re.search(r"\b(nan|inf|None)\b", text)]


def test_an_empty_shard_in_one_seed_leaves_no_balance():
    result = make_result()
    result["methods"][-1]["balance"] = None
    assert named("strict-hash", result).mean("balance") is None
    assert "–" in Page(render(result)).texts


@pytest.mark.parametrize("methods", [{}, {f"semantic-user+average-nd-{k}": "strict" for k in range(30)}], ids=len)
def test_any_number_of_methods_has_a_page(methods):
    texts = Page(render(make_result(methods, seeds=(1,), inference=[]))).texts
    assert all(clean(name, 26) in texts or any(text.startswith(name[:20]) for text in texts) for name in methods)


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FedrecError, match=r"^.*report\.html: cannot write the report .*$"):
        write_page(make_result(seeds=(1,)), tmp_path / "file" / "report.html")


@browser
@pytest.mark.parametrize(
    ("scheme", "page", "bar"),
    [("light", (244, 244, 242), (33, 102, 212)), ("dark", (15, 17, 21), (79, 157, 255))],
)
def test_a_browser_shows_the_page_in_light_and_dark(tmp_path, scheme, page, bar):
    write_page(make_result(), tmp_path / "report.html")
    pixels = screenshot(tmp_path / "report.html", scheme, 2600)
    assert (pixels[:, :10] == page).all(), "the margin is the page's colour: nothing runs out of its column"
    assert (pixels[:, -10:] == page).all()
    assert (pixels == bar).all(axis=2).sum() > 3000, "the bars of strict methods are the page's first series colour"
