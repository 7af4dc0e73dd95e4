"""The picture of how the folders of the packages use each other, from the imports themselves.

    python -m experiments.architecture

An arrow goes from a folder to one that it imports, itself or through single files, and always downward; an arrow that
follows from others is left out. A circle is an error.
"""

from __future__ import annotations

from pathlib import Path

import grimp
import matplotlib.pyplot as plt
import networkx as nx

PICTURE = Path("docs/architecture.svg")
PACKAGES = {"fedrec": "#dbe7f5", "clients": "#dff0d8", "server": "#fbe8d3", "unlearning": "#eedff0"}
FRONT_DOORS = {"fedrec.api", "fedrec.comparison", "fedrec.cli", "fedrec.__main__"}
_WIDTH, _HEIGHT = 2.3, 1.0  # of a place in the picture, in inches


def modules() -> nx.DiGraph:
    """What imports what: folders and single files of each package, by `package.name`; what is for types only is not."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)
    found = nx.DiGraph()
    for module in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            user, used = map(_place, (module, imported))
            if user != used:
                found.add_edge(user, used)
    found.remove_nodes_from({*PACKAGES} - {"clients"} | FRONT_DOORS)
    return found


def _place(module: str) -> str:
    """`clients` is one folder; of the other packages it is the folder or the file within."""
    package, *rest = module.split(".")
    return package if package == "clients" else ".".join([package, *rest[:1]])


def folders(graph: nx.DiGraph) -> nx.DiGraph:
    """The folders alone, each with those it reaches through single files; what follows from other arrows is left out.

    Raises:
        SystemExit: some import each other in a circle.
    """
    if circles := [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]:
        raise SystemExit(f"imports go in a circle: {'; '.join(' → '.join(circle) for circle in circles)}")
    kept = {name for name in graph if (Path(*name.split(".")) / "__init__.py").exists()} - {*PACKAGES} | {"clients"}
    found = nx.DiGraph()
    found.add_nodes_from(sorted(kept))
    for name in kept:
        found.add_edges_from((name, other) for other in nx.descendants(graph, name) & kept)
    return nx.transitive_reduction(found)


def layers(graph: nx.DiGraph) -> list[list[str]]:
    """The folders from the bottom up, each above all that it uses."""
    height: dict[str, int] = {}
    for name in reversed(list(nx.lexicographical_topological_sort(graph))):
        height[name] = max((height[used] + 1 for used in graph.successors(name)), default=0)
    return [sorted(n for n in graph if height[n] == level) for level in range(max(height.values()) + 1)]


def draw(graph: nx.DiGraph, path: Path) -> None:
    """The picture as SVG; the same imports give the same bytes."""
    rows = layers(graph)
    widest = max(map(len, rows))
    place = {
        name: ((widest - len(row)) / 2 + column, level)
        for level, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    with plt.rc_context({"svg.hashsalt": "fedrec", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(_WIDTH * widest, _HEIGHT * len(rows)))
        for user, used in sorted(graph.edges):
            (x, y), (to_x, to_y) = place[user], place[used]
            arrow = {"arrowstyle": "->", "color": "#8a8a8a", "lw": 0.8}
            axes.annotate("", (to_x, to_y + 0.24), (x, y - 0.24), arrowprops=arrow)
        for name, (x, y) in place.items():
            box = {"boxstyle": "round,pad=0.45", "facecolor": PACKAGES[name.split(".")[0]], "edgecolor": "#606060"}
            axes.text(x, y, name.replace(".", "/"), ha="center", va="center", bbox=box)
        axes.set(xlim=(-0.6, widest - 0.4), ylim=(-0.5, len(rows) - 0.5))
        axes.axis("off")
        figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    draw(folders(modules()), PICTURE)
    print(f"written: {PICTURE}")
