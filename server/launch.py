"""A run from its configuration to its result: made, prepared, its rounds and those of its baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedrec import config as configuration
from fedrec.config import RunConfig, parse
from fedrec.console.progress import working
from fedrec.errors import FedrecError, UsageError, command, os_fault, stopped
from fedrec.lock import only_writer
from fedrec.options import new_folder
from fedrec.preparation import resolve
from fedrec.strategies import strategy_of
from server.rounds import Entry
from server.run import BASELINES, find_run, remove_run
from server.simulated_run import FILLED, SimulatedRun, create_run, open_run
from server.transports.transport import Transport


@dataclass(frozen=True)
class Listener:
    """Whom to tell what is going on.

    Attributes:
        on_warnings: what is odd about the data and the settings.
        on_run: a run, or a baseline, whose rounds begin, with the number of processes.
        on_round: what happened in a round.
    """

    on_warnings: Callable[[Sequence[str]], None] = lambda warnings: None
    on_run: Callable[[SimulatedRun, int], None] = lambda run, processes: None
    on_round: Callable[[Entry], None] = lambda entry: None


NOBODY = Listener()


def configured(
    overrides: Mapping[str, Any],
    strategies: Sequence[str],
    path: Path | None = None,
    sets: Sequence[str] = (),
    homes: Path | None = None,
) -> RunConfig:
    """The configuration; a mistake in a baseline's is told as well, before anything is written.

    Args:
        overrides, path, sets: as `config.load` takes them.
        strategies: the run's and its baselines'; none = as configured.
        homes: of the clients, filled before; none = the data are split into homes.

    Raises:
        UsageError: names every wrong key and value.
    """
    named = {"strategy": strategies[0], "baselines": list(strategies[1:])} if strategies else {}
    filled = {}
    if homes is not None:
        if said := sorted(key for key in overrides if key.startswith(("data.", "clients."))):
            raise UsageError(f"--homes {homes}: data and clients are those of the homes; leave out {said[0]}")
        filled = {"data.path": str(homes), "data.format": FILLED}
    main = resolve(configuration.load(path, {**overrides, **named, **filled}, tuple(sets)))
    if homes is not None and strategy_of(main).pools:
        raise UsageError(f"--homes {homes}: {main.strategy} has no home of its own; name it last, pplr,{main.strategy}")
    _baselines(main)
    return main


def start(
    config: RunConfig, folder: Path | None, transport: Transport, listener: Listener, replace: bool = False
) -> SimulatedRun:
    """A new run, with its result.

    Args:
        folder: where it is to be; None = a new one under runs/.
        transport: how its clients are reached.
        replace: throw away the run that is there.

    Raises:
        FedrecError: it cannot be prepared, and then nothing is left of it; or trained.
        Interrupted: stopped; `resume` goes on.
    """
    folder = new_folder(folder, config.strategy)
    with _writing(folder):
        runs = created(config, folder, replace)
        try:
            prepared = _prepared(runs, listener)
        except (FedrecError, OSError):
            remove_run(folder)  # so the place is free for a mend
            raise
        return _carried_out(prepared, transport, listener)


def resume(folder: Path, transport: Transport, listener: Listener) -> SimulatedRun:
    """A run that was stopped, with its result; otherwise as `start`."""
    with _writing(folder := find_run(folder)):
        with working(f"opening {folder}"):
            runs = reopened(folder)
        return _carried_out(_prepared(runs, listener), transport, listener)


def reopened(folder: Path) -> list[SimulatedRun]:
    """The run and its baselines."""
    run = open_run(folder)
    return [run, *_beside(run)]


def created(config: RunConfig, folder: Path, replace: bool = False) -> list[SimulatedRun]:
    """The run and its baselines, not prepared."""
    if replace:
        remove_run(folder)
    run = create_run(folder, config)
    return [run, *(create_run(folder / BASELINES / name, each) for name, each in _baselines(config).items())]


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    with only_writer(folder):
        try:
            yield
        except KeyboardInterrupt as stop:
            raise stopped(f"continue with {command('simulate --resume', folder)}", stop) from None


def _prepared(runs: Sequence[SimulatedRun], listener: Listener) -> list[SimulatedRun]:
    with working("preparing: data, base model, clients"):
        from server.prepare import finish_all

        return finish_all(runs, listener.on_warnings)


def _carried_out(runs: Sequence[SimulatedRun], transport: Transport, listener: Listener) -> SimulatedRun:
    """All rounds of all runs. What the system refuses, a full disk most likely, loses nothing: it says how to go on."""
    run = runs[0]
    try:
        with working("getting the rounds ready"):
            from server.results import write_page, write_result
        _rounds(run, transport, listener)
        baselines = _beside(run)  # listed anew: a client that is behind takes back what learned from its rows
        for baseline in baselines:
            _rounds(baseline, transport, listener)
        if baselines:  # which result and page did not have yet
            with working("writing the page"):
                write_result(run)
                write_page(run)
    except BrokenPipeError:
        raise
    except OSError as error:
        mend = f"make room or mend it, and continue with {command('simulate --resume', run.folder)}"
        raise FedrecError(f"{os_fault(error)}; {mend}") from None
    return run


def simulate(
    run: SimulatedRun, transport: Transport | None = None, on_round: Callable[[Entry], None] = lambda entry: None
) -> None:
    """Run the federation over a transport, in this process without one, then write its page."""
    from server.results import write_page
    from server.training import run_rounds
    from server.transports.in_process import InProcess

    with (transport or InProcess()).reach(run) as grid:
        run_rounds(grid, run, on_round)
    write_page(run)


def _rounds(run: SimulatedRun, transport: Transport, listener: Listener) -> None:
    listener.on_run(run, transport.processes(run))
    simulate(run, transport, listener.on_round)


def _beside(run: SimulatedRun) -> list[SimulatedRun]:
    """A run's baselines, where a kill may have come before some were created, or an erasure removed them.

    Raises:
        FedrecError: an erasure is being carried out.
    """
    from fedrec.console.progress import say
    from unlearning.workflow.erasures import under_way
    from unlearning.workflow.workflow import Workflow

    if run.config.baselines and (request := under_way(run)):
        raise FedrecError(
            f"request {request} is not erased yet, so no baseline may read the data: "
            f"{command('forget status --run', run.folder)} shows why, {command('forget run --run', run.folder)} goes on"
        )
    if Workflow.is_open(run):
        for line in run.remove_unfit():
            say(line)
    for name, config in _baselines(run.config).items():
        if not (run.folder / BASELINES / name / "config.json").exists():
            create_run(run.folder / BASELINES / name, config)
    return [*run.baselines]


def _baselines(main: RunConfig) -> dict[str, RunConfig]:
    """The configuration of each baseline by its name: that of the run, but for the strategy."""
    common = {**main.model_dump(), "baselines": ()}
    return {name: parse({**common, "strategy": name}) for name in main.baselines}
