"""What the commands do, in the same words, for a notebook or a script.

    import fedrec

    run = fedrec.simulate(data="ratings.csv", shards=4, rounds=3)
    run.result["overall"]["auc"]
    run.recommend("anna", top=10)
    run.forget(user="anna").certificate

The front door, beside `fedrec.cli`: with `fedrec.handles` it alone in this package knows of server and unlearning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedrec.handles import Comparison, Erasure, Run

if TYPE_CHECKING:
    from server.simulation.launch import Listener
    from server.transports.transport import Transport
    from unlearning.comparison.compare import Telling
    from unlearning.methods.method import Unit

__all__ = ["Comparison", "Erasure", "Run", "compare", "open_run", "resume", "simulate"]


def simulate(
    data: str | None = None,
    *,
    homes: Path | str | None = None,
    clients: int | None = None,
    rounds: int | None = None,
    strategy: str | Sequence[str] = (),
    shards: int | None = None,
    seed: int | None = None,
    base: str | None = None,
    settings: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    config: Path | None = None,
    out: Path | str | None = None,
    workers: str | int = "auto",
    transport: str = "processes",
    replace: bool = False,
    listener: Listener | None = None,
) -> Run:
    """Train a recommender in federated rounds on this machine, and measure it on each client's own later interactions.

    Args:
        data: file or folder; None = a generated world of films.
        homes: a folder of clients' homes, filled by `fedrec vault import`, to train with; they say what data there is.
        strategy: pplr, fedavg, fedprox, ditto, local or central; of several the others run as baselines.
        base: Hugging Face id or folder of the base model; None = the embedded Llama.
        settings: any others by their names, such as `{"train.lr": 1e-3}`; `fedrec settings` lists them.
        sets: `section.key=value`, over everything else.
        config: a configuration file, TOML, under everything else.
        out: the run's folder; None = a new one under runs/.
        workers: processes side by side; "auto" = as many as there are cores for.
        transport: how clients are reached, "processes" or "in-process".
        replace: throw away the run that `out` holds.
        listener: whom to tell what is going on.

    Raises:
        UsageError: names every wrong setting and value.
        FedrecError: it cannot be prepared or trained.
    """
    from server.simulation.launch import NOBODY, configured, start

    words = {"data.path": data, "clients.count": clients, "federation.rounds": rounds, "shards": shards, "seed": seed}
    overrides = {**(settings or {}), **_given({**words, "base": base})}
    strategies = (strategy,) if isinstance(strategy, str) else strategy
    reached = _transport(transport, workers)
    resolved = configured(overrides, strategies, config, sets, _path(homes))
    return Run(start(resolved, _path(out), reached, listener or NOBODY, replace))


def resume(
    folder: Path | str,
    *,
    workers: str | int = "auto",
    transport: str = "processes",
    listener: Listener | None = None,
) -> Run:
    """A run that was stopped, finished as if it had not been; arguments as of `simulate`."""
    from server.simulation.launch import NOBODY
    from server.simulation.launch import resume as go_on

    return Run(go_on(Path(folder), _transport(transport, workers), listener or NOBODY))


def open_run(folder: Path | str | None = None) -> Run:
    """The run in a folder; without one, the newest under runs/.

    Raises:
        UsageError: there is none.
    """
    from server.simulation.run import open_run as stored

    return Run(stored(folder))


def compare(
    data: str | None = None,
    *,
    methods: Sequence[str] = (),
    shards: int = 4,
    slices: int = 1,
    unit: Unit = "user",
    forget: int = 1,
    seeds: Sequence[int] = (42,),
    base: str | None = None,
    settings: Mapping[str, Any] | None = None,
    sets: Sequence[str] = (),
    config: Path | None = None,
    out: Path | str | None = None,
    workers: str | int = "auto",
    gpus: float = 0.0,
    latency: bool = False,
    replace: bool = False,
    telling: Telling | None = None,
) -> Comparison:
    """Train each method of unlearning, delete, and measure it against retraining everything without what was deleted.

    Args:
        methods: their names; none = the published and the strict ones. Retraining is always there.
        shards, slices: of each method, where it has them.
        unit, forget: how many users or rows ("user", "row") are deleted, drawn by each seed.
        gpus: part of a GPU that a shard needs, with workers on Ray.
        latency: measure the time that an answer takes too.
        telling: whom to tell what is going on; otherwise as `simulate`.

    Raises:
        UsageError: names what is wrong.
    """
    from fedrec.config import load
    from fedrec.parallel.worker_count import parse_workers
    from fedrec.preparation import resolve
    from unlearning.comparison.plan import Plan
    from unlearning.comparison.run import METHODS, SILENT, carry_out
    from unlearning.compute.choice import workers_for

    overrides = {**(settings or {}), **_given({"data.path": data, "base": base})}
    plan = Plan(
        config=resolve(load(config, overrides, tuple(sets))), methods=tuple(methods) or METHODS,
        shards=shards, slices=slices, unit=unit, forget=forget, seeds=tuple(seeds),
    )  # fmt: skip
    pool = workers_for(parse_workers(str(workers)), shards, gpus)
    done = carry_out(plan, _path(out), pool, telling or SILENT, latency=latency, replace=replace)
    return Comparison(*done)


def _transport(name: str, workers: str | int) -> Transport:
    from fedrec.parallel.worker_count import parse_workers
    from server.transports import TRANSPORTS

    TRANSPORTS.check(name, "transport")
    return TRANSPORTS.load(name)(parse_workers(str(workers)))


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something."""
    return {key: value for key, value in settings.items() if value is not None}
