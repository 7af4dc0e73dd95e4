"""A client whose folder was put back as it was before lacks erasures, or serves what was withdrawn. Each is held
against what the ledger remembers of it; one that is behind repeats what it missed, and serves what is newest. So are
the models of the last round against the certificates: those of before an erasure are trained again first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.serverapp import Grid

from fedrec.console.progress import say as to_stderr
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import Model
from fedrec.protocol.answers import ChainAnswer, Done, LocateAnswer, RepeatAnswer, ServeAnswer
from fedrec.protocol.questions import Chain, Discard, Locate, Repeat, Serve
from fedrec.vault.chain import ORIGIN, Link
from server.calls import answers
from server.federation import Federation
from server.integrity.restatement import untold
from server.integrity.retraining import keep, renew, whole
from server.integrity.stale import erased
from server.run import Run
from unlearning.executor import Say
from unlearning.requests.ledger import Ledger
from unlearning.requests.states import State
from unlearning.workflow.published import LACKS, differ, published

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
            behind[name] = LACKS
        else:
            if said.links:
                ledger.extend_chain(name, said.links)
            if not said.serves:
                behind[name] = "would serve what was withdrawn, or be judged by erased rows"
    return behind


def refuse(run: Run, behind: Mapping[str, str]) -> None:
    """
    Raises:
        FedrecError: a client is behind.
    """
    for name, why in behind.items():
        raise FedrecError(
            f"client {name} {why}, as if an old copy had been put back: "
            f"{command('forget run --run', run.folder)} repeats it"
        )


def catch_up(grid: Grid, run: Run, nodes: Nodes, ledger: Ledger, say: Say = to_stderr) -> bool:
    """Whether any client was behind. None is when this returns, and rounds/ has nothing of before an erasure.

    Raises:
        FedrecError: a client cannot repeat what it missed, or rounds/ is of before an erasure and it cannot be trained
            again; the client serves nothing any longer.
    """
    behind = remember(grid, run, nodes, ledger)
    rows = {name: _repeat(grid, run, {name: nodes[name]}, ledger) for name in behind}
    for line in run.remove_unfit():
        say(line)
    if not behind and not ledger.chain_ends():
        return False
    answers(grid, run, nodes, dict.fromkeys(nodes, Discard(requests=())), Done)
    renewed = renew(grid, run, ledger, say)
    last = run.rounds.last()
    if last is not None:
        models = renewed.models if renewed else run.rounds.models(last)
        for name in _not_serving(grid, run, nodes, ledger):
            _serve(grid, run, {name: nodes[name]}, models[name], ledger.shards_out())
            if name not in behind:
                say(f"client {name} did not serve all that it may: served anew")
    for name, why in behind.items():
        ledger.note_repeated(rows[name])
        say(
            f"client {name} {why}, as if an old copy had been put back: {rows[name]} rows erased again, and served anew"
        )
    if renewed:
        renewed.keep()
    else:
        _tell_again(grid, run, ledger, say)
    return bool(behind)


def _tell_again(grid: Grid, run: Run, ledger: Ledger, say: Say) -> None:
    """Where a finished run's figures are of rows that are gone, what they tell of is measured anew."""
    finished = run.rounds.last() == run.config.federation.rounds
    if not finished or ledger.under_way() or not erased(ledger):
        return
    run.rounds.drop_older()
    old = run.old_figures()
    for path, why in old:
        say(f"{path}: {why}, as if an old copy had been put back: told again")
        if path.parent.parent == run.rounds.folder:
            number = int(path.parent.name)
            run.rounds.retell(number, untold(run.rounds.entry(number)))
    if old:
        keep(Federation(grid, run), (), whole(run, (), {}), run.rounds.folder)


def _repeat(grid: Grid, run: Run, node: Nodes, ledger: Ledger) -> int:
    """A client erases again what it lacks, and serves nothing; the rows that were erased."""
    (name,) = node
    chain = ledger.chain(name)
    repeat = {name: Repeat(links=tuple(chain))}
    rows = answers(grid, run, node, repeat, RepeatAnswer)[name].rows
    _discard_erased(grid, run, node, chain, {request.id for request in ledger.list(State.CLOSED)})
    return rows


def _not_serving(grid: Grid, run: Run, nodes: Nodes, ledger: Ledger) -> list[str]:
    """Clients that lack a shard, as one killed after it had erased again, or serve one of before an erasure."""
    newest, out = published(run, ledger), ledger.shards_out()
    ask = dict.fromkeys(nodes, Locate(selection=Selection()))
    found = []
    for name, said in answers(grid, run, nodes, ask, LocateAnswer).items():
        served = {shard: digest for shard, digest in enumerate(said.served) if digest}
        lacks = set(range(run.config.shards)) - out - served.keys()
        if lacks or differ(newest, {name: served}):
            found.append(name)
    return found


def _discard_erased(grid: Grid, run: Run, nodes: Nodes, chain: Sequence[Link], closed: set[str]) -> None:
    """An old copy may hold what waited for a verification that is long done."""
    question = Discard(requests=tuple(link.request for link in chain if link.request in closed))
    answers(grid, run, nodes, dict.fromkeys(nodes, question), Done)


def _serve(grid: Grid, run: Run, node: Nodes, model: Model, out: set[int]) -> None:
    """A client serves its model, but for the shards that are out."""
    shards = [shard for shard in range(run.config.shards) if shard not in out]
    serve = Serve(shards=tuple(shards))
    questions = {name: serve.carrying([model[shard] for shard in shards]) for name in node}
    answers(grid, run, node, questions, ServeAnswer)
