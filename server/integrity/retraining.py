"""The models of the last round held against the certificates: what is of before an erasure is trained again.

Training is deterministic, so without the rows it gives the adapters that the certificate names; if not, nothing of it
is kept. The run's figures are stated anew then, of the data that is left: what earlier rounds measured, and what
training told of itself, cannot be had again without the rows that are gone, so where no retraining tells it, it is
left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from flwr.serverapp import Grid
from safetensors import SafetensorError

from fedrec.errors import FedrecError, command
from fedrec.files import write_json
from fedrec.protocol.adapters import Model, digest_of
from server.calls import Clients
from server.federation import Federation
from server.results import write_result
from server.rounds import MODELS, Entry, Rounds
from server.run import Run
from server.spent import together
from unlearning.executor import Say
from unlearning.requests.ledger import Ledger
from unlearning.workflow.newest_erasure import Newest, differ, published

_LOST = "without the item rows that a client had kept to itself"


class RetrainedShards(NamedTuple):
    """Shards that were trained again, and every client's whole model with them in it."""

    shards: list[int]
    models: dict[str, Model]


def retrain_stale(clients: Clients, ledger: Ledger, say: Say, lost: Collection[int] = ()) -> RetrainedShards | None:
    """Train again what rounds/ has of before an erasure, where there is any; no client lacks an erasure.

    Args:
        lost: shards that are trained again anyway, because a client has not all that it served of them.

    Raises:
        FedrecError: the run is not finished, or what comes out is not what the certificate names.
    """
    run = clients.run
    newest = published(run, ledger)
    stale = dict.fromkeys(lost, _LOST)
    for shard, request in stale_in_rounds(run, newest).items():
        stale[shard] = f"of before erasure {request}, as if it had been put back"
    if not stale:
        return None
    shards, path = sorted(stale), models_path(run)
    restore = f"restore {run.rounds.folder} as it was after that"
    if run.rounds.last() != run.config.federation.rounds:
        again = f"remove that folder, and {command('simulate --resume', run.folder)} trains every round again"
        raise FedrecError(f"{run.rounds.folder}: shard {shards[0]} is {stale[shards[0]]}; {restore}, or {again}")
    for shard in shards:
        if shard in newest and (why := newest[shard].gone):
            raise FedrecError(f"{path}: shard {shard} is {stale[shard]}: {why}; {restore}")
        say(f"{path}: shard {shard} is {stale[shard]}: trained again")
    shutil.rmtree(_folder(run), ignore_errors=True)
    models = Federation(clients.grid, run).retrain(shards, Rounds(_folder(run)), lambda: None)
    made = {client: dict(zip(shards, map(digest_of, model), strict=True)) for client, model in models.items()}
    for shard in differ({shard: newest[shard] for shard in shards if shard in newest}, made):
        shutil.rmtree(_folder(run), ignore_errors=True)
        raise FedrecError(
            f"{path}: shard {shard} is {stale[shard]}, and training it again does not give what the"
            f" certificate names, as on another machine; {restore}"
        )
    return RetrainedShards(shards, whole(run, shards, models))


def keep(grid: Grid, run: Run, retrained: RetrainedShards, folder: Path | None = None) -> None:
    """Keep the models that are served now as the run's, have them measured, and write the result anew.

    Args:
        folder: the rounds in which the shards were trained again; None = those of `retrain_stale`, which go.
    """
    restate(run, retrained.shards, Rounds(folder or _folder(run)))
    Federation(grid, run).measure(run.config.federation.rounds, retrained.models)
    write_result(run)
    shutil.rmtree(_folder(run), ignore_errors=True)


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
    try:
        models = run.rounds.models(last)
    except (OSError, SafetensorError, ValueError):
        raise FedrecError(f"{models_path(run)}: cannot be read; restore it from a backup") from None
    return differ(newest, {name: dict(enumerate(map(digest_of, model))) for name, model in models.items()})


def models_path(run: Run) -> Path:
    """The models of the last round."""
    return run.rounds.path(run.rounds.last() or 0, MODELS)


def restate(run: Run, shards: Sequence[int], again: Rounds) -> None:
    """Users, rows and trivial scorers as far as they are known here; earlier rounds without what they measured.

    Args:
        shards: those that were trained again, in the rounds `again`.
    """
    write_json(run.main.folder / "reference.json", run.main.measured_anew().content())
    for entry in run.rounds.history():
        if entry.round and shards:
            repeated = run.rounds.last() == again.last()  # an unlearning has one round, which is none of these
            if repeated:
                entry = with_retraining(entry, again.entry(entry.round), shards, run.config.shards)
            else:
                entry = without_training(entry)
        if last := entry.round == run.rounds.last():
            retrained = (again.entry(number).epsilon for number in range(1, (again.last() or 0) + 1))
            entry = replace(entry, epsilon=together([entry.epsilon, *retrained]))
        entry = replace(entry, bytes_up=0, bytes_down=0)  # which tell how many rows, and item rows, there were
        run.rounds.write_entry(entry if last else replace(entry, clients=[], overall={}))


def without_training(entry: Entry) -> Entry:
    """A round without what its training tells of."""
    return replace(entry, aggregation={}, train_loss=None)


def with_retraining(entry: Entry, again: Entry, shards: Sequence[int], of: int) -> Entry:
    """What a round tells of its training, with what the retraining of some shards tells of its own in their place.

    Args:
        of: how many shards there are.
    """
    if entry.participants != again.participants:
        return without_training(entry)
    aggregation = {}
    for name, old in entry.aggregation.items():
        new = again.aggregation.get(name, ())
        if len(new) == len(shards) and max(shards) < len(old):
            fresh = dict(zip(shards, new, strict=True))
            aggregation[name] = [fresh.get(shard, values) for shard, values in enumerate(old)]
    every = len(shards) == of  # then the mean over them is known
    return replace(entry, aggregation=aggregation, train_loss=again.train_loss if every else None)


def _folder(run: Run) -> Path:
    return run.folder / "retrained"
