"""What mkdocs adds to the pages written by hand: README as the first, and a reference page for each package."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
PACKAGES = ("fedrec", "clients", "server", "unlearning")


def on_files(files: Files, config: Any) -> Files:
    readme = (ROOT / "README.md").read_text("utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=readme))
    for name in referenced():
        files.append(File.generated(config, f"reference/{name}.md", content=f"# {name}\n\n::: {name}\n"))
    for picture in RESULTS.glob("*.svg"):
        files.append(File.generated(config, f"results/{picture.name}", content=picture.read_bytes()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links as they are on the pages, where the files are read in the repository."""
    return markdown.replace("](../README.md", "](index.md").replace("](../experiments/results/", "](results/")


def on_config(config: Any) -> Any:
    config.nav.append({"Reference": [{name: f"reference/{name}.md"} for name in referenced()]})
    return config


def referenced() -> list[str]:
    """Every folder of modules within the packages, and each module that stands alone in one of them."""
    return sorted(
        module.name
        for package in PACKAGES
        for module in pkgutil.iter_modules([str(ROOT / package)], f"{package}.")
        if not re.search(r"__main__$", module.name)
    )
