"""The models of the last round held against the certificates: what is of before an erasure is trained again.

Training is deterministic, so without the rows it gives the adapters that the certificate names; if not,
nothing of it is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flwr.serverapp import Grid
from safetensors import SafetensorError

from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import Model, digest_of
from server.federation import Federation
from server.integrity.restatement import restate
from server.results import write_result
from server.rounds import MODELS, Rounds
from server.run import Run
from unlearning.executor import Say
from unlearning.requests.ledger import Ledger
from unlearning.workflow.published import Newest, differ, published


@dataclass(frozen=True)
class Renewed:
    """Shards that were trained again.

    Attributes:
        models: every client's whole model, with them in it.
    """

    federation: Federation
    shards: list[int]
    models: dict[str, Model]

    def keep(self) -> None:
        """Once the clients serve them."""
        folder = _folder(self.federation.run)
        keep(self.federation, self.shards, self.models, folder)
        shutil.rmtree(folder)


def renew(grid: Grid, run: Run, ledger: Ledger, say: Say) -> Renewed | None:
    """Train again what rounds/ has of before an erasure, where there is any; no client lacks an erasure.

    Raises:
        FedrecError: the run is not finished, or what comes out is not what the certificate names.
    """
    newest = published(run, ledger)
    stale = stale_in_rounds(run, newest)
    if not stale:
        return None
    shards, path = sorted(stale), models_path(run)
    restore = f"restore {run.rounds.folder} as it was after that"
    if run.rounds.last() != run.config.federation.rounds:
        again = f"remove that folder, and {command('simulate --resume', run.folder)} trains every round again"
        raise FedrecError(f"{run.rounds.folder}: of before erasure {stale[shards[0]]}; {restore}, or {again}")
    for shard in shards:
        say(f"{path}: shard {shard} is of before erasure {stale[shard]}, as if it had been put back: trained again")
    shutil.rmtree(_folder(run), ignore_errors=True)
    federation = Federation(grid, run)
    models = federation.retrain(shards, Rounds(_folder(run)), lambda: None)
    made = {client: dict(zip(shards, map(digest_of, model), strict=True)) for client, model in models.items()}
    for shard, request in differ({shard: newest[shard] for shard in shards}, made).items():
        shutil.rmtree(_folder(run), ignore_errors=True)
        raise FedrecError(
            f"{path}: shard {shard} is of before erasure {request}, and training it again does not give what the"
            f" certificate names, as on another machine; {restore}"
        )
    return Renewed(federation, shards, whole(run, shards, models))


def keep(federation: Federation, shards: Sequence[int], models: Mapping[str, Model], folder: Path) -> None:
    """Keep the models that are served now as the run's, have them measured, and write the result anew.

    Args:
        models: every client's whole one.
        folder: the rounds in which the shards were trained again.
    """
    run = federation.run
    restate(run, shards, Rounds(folder))
    federation.measure(run.config.federation.rounds, models)
    write_result(run)


def whole(run: Run, shards: Sequence[int], models: Mapping[str, Model]) -> dict[str, Model]:
    """Every client's whole model, with retrained shards in it."""
    found = {client: list(model) for client, model in run.rounds.models(run.config.federation.rounds).items()}
    for client, model in models.items():
        for shard, state in zip(shards, model, strict=True):
            found[client][shard] = state
    return found


def stale_in_rounds(run: Run, newest: Mapping[int, Newest]) -> dict[int, str]:
    """The shards of which rounds/ has adapters of before an erasure, and which erasure that is."""
    last = run.rounds.last()
    if last is None or not newest:
        return {}
    path = models_path(run)
    try:
        models = run.rounds.models(last)
    except (OSError, SafetensorError, ValueError):
        raise FedrecError(f"{path}: cannot be read; restore it from a backup") from None
    return differ(newest, {name: dict(enumerate(map(digest_of, model))) for name, model in models.items()})


def models_path(run: Run) -> Path:
    """The models of the last round."""
    return run.rounds.folder / f"{run.rounds.last() or 0:04d}" / MODELS


def _folder(run: Run) -> Path:
    return run.folder / "renewed"
