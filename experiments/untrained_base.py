"""What the embedded base makes of real histories before it has learnt from one real row.

Its makers saw neither these rows nor any other: it is made of the catalogue's titles and imagined people. Choices about
those people were made on valid rows of ml-1m-like; the other sets had no say.

    python -m experiments.untrained_base --data ../shared/data
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.common import run_command, write_result
from fedrec import metrics
from fedrec.base_models.named import embedded_base
from fedrec.config import load
from fedrec.data.dataset import TEST
from fedrec.data.load import load_dataset
from fedrec.data.regressions import regression_scores
from fedrec.data.trivial import trivial_scores
from fedrec.hardware import threads
from fedrec.models.base import load_base
from fedrec.scoring import score_windows
from fedrec.tasks import encoder_of

SETS = ("ml-1m-like", "ml-100k", "movietweetings")


def measured(path: Path, force: bool) -> dict[str, Any]:
    """One data set: titles, seconds to build its base, AUC and UAUC of the base, AUC of scorers without a model."""
    config = load(overrides={"data.path": str(path)})
    dataset = load_dataset(config.data, config.seed)
    rows = dataset.interactions
    began = time.perf_counter()
    folder = embedded_base(dataset.catalogue, config, force=force)
    seconds = time.perf_counter() - began
    base, test = load_base(str(folder)), rows.split == TEST
    encoder = encoder_of(config, dataset.catalogue, base)
    with threads(1):
        windows = encoder.windows(rows, test)
        scores = score_windows(base.model, windows, encoder.readout, len(rows), precision=base.precision)[test]
    label = rows.label[test]
    others = trivial_scores(rows, test) | regression_scores(rows, test)
    return {
        "data": path.name,
        "titles": len(dataset.catalogue),
        **({"seconds": seconds} if force else {}),
        "base": metrics.auc(scores, label),
        **{name: metrics.auc(other, label) for name, other in others.items()},
    }


def main(
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")] = Path("../shared/data"),
    names: Annotated[str, typer.Option("--sets", help="Which of them.")] = ",".join(SETS),
    force: Annotated[bool, typer.Option(help="Build the bases anew.")] = False,
) -> None:
    """Build each set's base, have it answer the test rows, and write the AUCs."""
    found = []
    for name in names.split(","):
        if not (data / name).exists():
            raise SystemExit(f"--data {data}: no {name} there")
        found.append(measured(data / name, force))
        print(found[-1], flush=True)
        write_result("untrained_base", {"sets": found})


if __name__ == "__main__":
    run_command(main)
