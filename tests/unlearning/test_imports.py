"""Arrows run one way: nothing of unlearning knows a server, its clients or Flower."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.cli import ROOT

FILES = sorted((ROOT / "unlearning").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The packages that a file imports, also within its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_imports_neither_server_nor_clients_nor_flower(path: Path) -> None:
    assert imported(path).isdisjoint({"server", "clients", "flwr"})
