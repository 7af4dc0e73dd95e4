"""Label placement, and SVG that belongs to the page."""

import itertools
import re

from hypothesis import assume, given
from hypothesis import strategies as st

from fedrec.reporting.drawing import INK, SERIES, Drawing, spread

places = st.lists(st.floats(0, 100), max_size=8)


@given(places, st.floats(0.1, 12))
def test_labels_keep_their_distance_bounds_and_order(positions, gap):
    placed = spread(positions, gap, 0, 100)
    ordered = sorted(placed)
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(ordered))
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in placed)
    ranks = sorted(range(len(placed)), key=lambda k: placed[k])
    assert [positions[k] for k in ranks] == sorted(positions)


@given(places, st.floats(0.1, 12), st.lists(st.floats(-20, 20), min_size=8, max_size=8))
def test_no_other_placement_moves_the_labels_less(positions, gap, noise):
    placed = spread(positions, gap, 0, 100)
    moved = [p + n for p, n in zip(placed, noise, strict=False)]
    order = sorted(range(len(positions)), key=lambda k: positions[k])
    assume(all(0 <= place <= 100 for place in moved))
    assume(all(moved[b] - moved[a] >= gap for a, b in itertools.pairwise(order)))

    def cost(there):
        return sum((a - b) ** 2 for a, b in zip(there, positions, strict=True))

    assert cost(placed) <= cost(moved) + 1e-6


def draw(name, label="label"):
    drawing = Drawing(name, 200, 100)
    axes = drawing.panel(20, 10, 150, 60)
    line = axes.plot([0, 1], [0.123456789, 1], marker="o", color=SERIES[1])[0]
    drawing.tip(line, label)
    drawing.text(5, 95, label, color=INK)
    return drawing.svg("a title")


def test_the_same_figure_gives_the_same_bytes():
    assert draw("one") == draw("one")


def test_figures_on_one_page_share_no_id():
    ids = [set(re.findall(r' id="([^"]+)"', draw(name))) for name in ("one", "two")]
    assert ids[0] and not ids[0] & ids[1]


def test_every_reference_is_within_the_figure():
    svg = draw("one")
    references = re.findall(r"(?:href=\"#|url\(#)([^\")]+)", svg)
    assert references and set(references) <= set(re.findall(r' id="([^"]+)"', svg))


def test_colours_and_fonts_are_the_page_s():
    svg = draw("one")
    assert "var(--series-2)" in svg and "currentColor" in svg
    assert "font-family" not in svg and not re.search(r"#[0-9a-f]{6}\b", re.sub(r'"#[^"]*"|url\([^)]*\)', "", svg))


def test_a_label_stays_as_it_is_spelled():
    for label in ("$x_1$", "#010301", 'a id="b" c', "1.23456", "url(#x) href=", "a & b"):
        text = re.sub(r"<[^>]*>", "\n", draw("one", label)).replace("&quot;", '"').replace("&amp;", "&").split("\n")
        assert text.count(label) == 2, label  # the tip and the text
