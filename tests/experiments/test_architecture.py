"""The picture of the folders is that of the imports, and imports go in no circle."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from experiments.architecture import PICTURE, draw, folders, layers, modules

ROOT = Path(__file__).parents[2]


def test_the_picture_in_the_docs_is_that_of_the_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m experiments.architecture` draws it anew."""
    monkeypatch.chdir(ROOT)
    draw(folders(modules()), tmp_path / "now.svg")
    assert (tmp_path / "now.svg").read_bytes() == PICTURE.read_bytes()


def test_every_arrow_points_down() -> None:
    graph = nx.DiGraph([("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("e", "d")])
    height = {name: level for level, row in enumerate(layers(graph)) for name in row}
    assert all(height[user] > height[used] for user, used in graph.edges)


def test_a_circle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match=r"imports go in a circle: fedrec\.data → fedrec\.models"):
        folders(nx.DiGraph([("fedrec.data", "fedrec.models"), ("fedrec.models", "fedrec.data")]))
