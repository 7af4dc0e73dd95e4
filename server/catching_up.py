"""A client whose folder was put back as it was before lacks erasures, or serves what was withdrawn. Each is held
against what the ledger remembers of it; one that is behind repeats what it missed, and serves what is newest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.serverapp import Grid

from fedrec.errors import FedrecError
from fedrec.progress import say as to_stderr
from fedrec.protocol.answers import ChainAnswer, ReleaseAnswer, RepeatAnswer, ServeAnswer
from fedrec.protocol.questions import Chain, Release, Repeat, Serve
from fedrec.store import Run
from fedrec.vault.chain import ORIGIN, Link
from server.exchange import answers
from unlearning.executor import Say
from unlearning.requests.ledger import Ledger
from unlearning.requests.states import State

Nodes = Mapping[str, int]


def remember(grid: Grid, run: Run, nodes: Nodes, ledger: Ledger) -> dict[str, str]:
    """Have the ledger remember what the clients tell of their erasures.

    Returns:
        The clients that are behind, and in what.
    """
    ends = ledger.chain_ends()
    known = {name: ends.get(name, (0, ORIGIN)) for name in nodes}
    behind: dict[str, str] = {}
    questions = {name: Chain(after=number) for name, (number, _) in known.items()}
    for name, said in answers(grid, run, nodes, questions, ChainAnswer).items():
        if said.head != known[name][1]:
            behind[name] = "lacks erasures that it had done"
        else:
            if said.links:
                ledger.extend_chain(name, said.links)
            if not said.serves:
                behind[name] = "would serve what was withdrawn"
    return behind


def refuse(run: Run, behind: Mapping[str, str]) -> None:
    """
    Raises:
        FedrecError: a client is behind.
    """
    for name, why in behind.items():
        raise FedrecError(
            f"client {name} {why}, as if an old copy had been put back:"
            f" `fedrec forget run --run {run.folder}` repeats it"
        )


def catch_up(grid: Grid, run: Run, nodes: Nodes, ledger: Ledger, say: Say = to_stderr) -> bool:
    """Whether any client was behind. None is when this returns.

    Raises:
        FedrecError: a client cannot repeat what it missed, and serves nothing any longer.
    """
    behind = remember(grid, run, nodes, ledger)
    closed = {request.id for request in ledger.list(State.CLOSED)} if behind else set()
    for name, why in behind.items():
        chain, number = ledger.chain(name), run.config.federation.rounds
        repeat = {name: Repeat(round=number, links=tuple(chain))}
        rows = answers(grid, run, nodes, repeat, RepeatAnswer)[name].rows
        _discard_erased(grid, run, {name: nodes[name]}, chain, closed)
        _serve(grid, run, {name: nodes[name]}, ledger.shards_out())
        ledger.note_repeated(rows)
        say(f"client {name} {why}, as if an old copy had been put back: {rows} rows erased again, and served anew")
    return bool(behind)


def _discard_erased(grid: Grid, run: Run, nodes: Nodes, chain: Sequence[Link], closed: set[str]) -> None:
    """An old copy may hold what waited for a verification that is long done."""
    release = Release(requests=tuple(link.request for link in chain if link.request in closed))
    answers(grid, run, nodes, dict.fromkeys(nodes, release), ReleaseAnswer)


def _serve(grid: Grid, run: Run, nodes: Nodes, out: set[int]) -> None:
    """These clients serve their models of the last round, but for the shards that are out."""
    last = run.rounds.last()
    if last is None:
        return
    shards = [shard for shard in range(run.config.shards) if shard not in out]
    models = run.rounds.models(last)
    serve = Serve(shards=tuple(shards))
    questions = {name: serve.carrying([models[name][shard] for shard in shards]) for name in nodes}
    answers(grid, run, nodes, questions, ServeAnswer)
