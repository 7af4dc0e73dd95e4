"""Templates of pages are files that are installed with the package that shows them."""

import tomllib

from tests.cli import ROOT


def test_every_template_is_installed_with_its_package():
    there = {path for top in ("fedrec", "clients", "server", "unlearning") for path in (ROOT / top).rglob("*.j2")}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    installed = {
        path
        for package, patterns in declared.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert there and there <= installed
