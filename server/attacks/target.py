"""What is attacked: a finished run, opened with its clients' homes."""

from __future__ import annotations

from pathlib import Path

from fedrec import hardware
from fedrec.errors import FedrecError, UsageError, command, did_you_mean
from fedrec.protocol.adapters import ITEM_ROWS, ITEMS_A, ITEMS_B, ROWS, Model, State
from fedrec.protocol.item_precision import without_known
from fedrec.protocol.item_rows import Items, with_rows
from fedrec.tasks import encoder_of
from fedrec.tasks.task import Encoder
from server.freshness import check_current
from server.simulated_run import SimulatedRun, open_run


def target(path: Path | None) -> SimulatedRun:
    """A finished run with all its clients' homes here.

    Raises:
        UsageError: there is no such run.
        FedrecError: it is not finished, serves what was withdrawn, or a home is elsewhere.
    """
    run = open_run(path)
    run.result  # noqa: B018  # FedrecError where it is not finished
    check_current(run)
    if away := [name for name in run.clients if name not in run.homes]:
        raise FedrecError(
            f"{run.folder}: the home of client {away[0]} is not on this machine, so nobody here knows what an attack "
            "should have found"
        )
    if run.rounds.last() != run.config.federation.rounds:
        raise FedrecError(f"{run.folder} is not finished: {command('simulate --resume', run.folder)} first")
    hardware.use_threads(run.config.train)
    return run


def client_of(run: SimulatedRun, name: str | None) -> str:
    """The client of that name; None = the one with the most people.

    Raises:
        UsageError: there is none.
    """
    if name is None:
        people = {each: len(run.homes[each].users()) for each in run.clients}
        return max(run.clients, key=lambda each: people[each])
    if name not in run.clients:
        known = ", ".join(run.clients[:5]) + (", …" if len(run.clients) > 5 else "")
        raise UsageError(f"--client {name}: no such client{did_you_mean(name, run.clients)}; there are {known}")
    return name


def encoder(run: SimulatedRun) -> Encoder:
    """How its timelines become tokens."""
    return encoder_of(run.config, run.catalogue, run.client(run.clients[0]).base)


def published(run: SimulatedRun) -> dict[str, Model]:
    """Every client's model after the last round, as the server sent it."""
    return run.rounds.models(run.config.federation.rounds)


def served(state: State, initial: State) -> State:
    """An adapter as it answers to whoever has no other rows of items than it has itself."""
    return {**{key: initial[key] for key in ITEM_ROWS if key in initial}, **without_known(state)[0]}


def layers_alone(state: State, initial: State) -> State:
    """An adapter whose items have no rows."""
    if ITEMS_A not in initial:
        return {key: array for key, array in state.items() if key in initial}
    bare = {key: array for key, array in state.items() if key in initial and key not in (ITEMS_A, ROWS)}
    none: Items = initial[ROWS][:0].astype("int32")
    return with_rows({**bare, ITEMS_B: initial[ITEMS_B]}, none, initial[ITEMS_A][:0])
