"""Puts the figures of results/ into the README and docs/, between their markers, so that none is written by hand.

python -m experiments.readme
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from experiments.sections import accuracy, erasure, speed

RESULTS = Path(__file__).parent / "results"
PAGES = tuple(Path(__file__).parent.parent / page for page in ("README.md", "docs/measured.md"))
SECTIONS = {
    "demo": accuracy.demo,
    "ml-1m-like": accuracy.strategies,
    "ml-100k": accuracy.strategies,
    "movietweetings": accuracy.strategies,
    "rounds_per_second": speed.rounds_per_second,
    "recommend_speed": speed.recommend_speed,
    "large_catalogue": speed.large_catalogue,
    "unlearning-ml-100k": accuracy.unlearning,
    "unlearning-ml-1m-like": accuracy.unlearning,
    "unlearning-ml-1m-like-users": accuracy.unlearning,
    "weighting-apa-nd": accuracy.weighting,
    "weighting-random-user-4": accuracy.weighting,
    "weighting-random-user-4-tau": accuracy.weighting,
    "timeline_weights": accuracy.timeline_weights,
    "deletion_cost": speed.deletion_cost,
    "withdrawal": erasure.withdrawal,
    "mixed_inference": speed.mixed_inference,
    "shard_workers": speed.shard_workers,
    "forgetting": erasure.forgetting,
    "forget_kills": erasure.forget_kills,
    "ledger_speed": erasure.ledger_speed,
    "at_size": speed.at_size,
    "client_workers": speed.client_workers,
    "default_settings": accuracy.default_settings,
    "untrained_base": accuracy.untrained_base,
}


def main() -> None:
    """Fill every section whose result is there."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for name, write in SECTIONS.items():
            path, marked = RESULTS / f"{name}.json", _between(name)
            if path.exists() and marked.search(text):
                body = write(json.loads(path.read_text()))
                text = marked.sub(lambda match, body=body: match[1] + body + "\n" + match[2], text)
        page.write_text(text, "utf-8")


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


if __name__ == "__main__":
    main()
