"""A client whose folder was put back as it was before lacks erasures, or serves what was withdrawn. Each is held
against what the ledger remembers of it; one that is behind repeats what it missed, and serves what is newest. So are
the models of the last round against the certificates: those of before an erasure are trained again first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fedrec.config import RunConfig
from fedrec.console.progress import say as to_stderr
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, command
from fedrec.protocol.answers import ChainAnswer, Done, LocateAnswer, RepeatAnswer, ServeAnswer
from fedrec.protocol.questions import Chain, Discard, Locate, Repeat, Serve
from fedrec.text import amount
from fedrec.vault.chain import ORIGIN
from server.calls import Clients
from server.integrity.retraining import RetrainedShards, keep, retrain_stale, whole, without_training
from server.integrity.stale import erased
from server.run import Run
from unlearning.executor import Say
from unlearning.requests.ledger import Ledger
from unlearning.requests.states import State
from unlearning.workflow.newest_erasure import LACKS, differ, published


def remember(clients: Clients, ledger: Ledger) -> dict[str, str]:
    """Have the ledger remember what the clients tell of their erasures.

    Returns:
        The clients that are behind, and in what.
    """
    ends = ledger.chain_ends()
    known = {name: ends.get(name, (0, ORIGIN)) for name in clients.nodes}
    behind: dict[str, str] = {}
    questions = {name: Chain(after=number) for name, (number, _) in known.items()}
    for name, said in clients.ask(questions, ChainAnswer).items():
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


def catch_up(clients: Clients, ledger: Ledger, say: Say = to_stderr, held: Collection[int] = ()) -> bool:
    """Whether any client was behind, or has lost item rows of its own. None is when this returns, nor has rounds/
    anything of before an erasure.

    Args:
        held: shards that are not to be served besides those that the ledger keeps out.

    Raises:
        FedrecError: a client cannot repeat what it missed, or rounds/ is of before an erasure and it cannot be trained
            again; the client serves nothing any longer.
    """
    run, behind = clients.run, remember(clients, ledger)
    due = tuple(shard for shard in range(run.config.shards) if shard not in {*ledger.shards_out(), *held})
    rows = {name: _repeat(clients, name, ledger) for name in behind}
    for line in run.remove_unfit():
        say(line)
    if not behind and not ledger.chain_ends():
        return False
    clients.ask(Discard(requests=()), Done)
    lost = _lost(clients, due)
    retrained = retrain_stale(clients, ledger, say, lost)
    last = run.rounds.last()
    if last is not None:
        models = retrained.models if retrained else run.rounds.models(last)
        for name in clients.nodes if lost else _not_serving(clients, ledger, due):
            serve = Serve(shards=due).carrying([models[name][shard] for shard in due])
            clients.ask({name: serve}, ServeAnswer)
            if name not in behind and not lost:
                say(f"client {name} did not serve all that it may: served anew")
    for name, why in behind.items():
        ledger.note_repeated(rows[name])
        erased = f"{amount(rows[name], 'row')} erased again, and served anew"
        say(f"client {name} {why}, as if an old copy had been put back: {erased}")
    if retrained:
        keep(clients.grid, run, retrained)
    else:
        _restate_stale(clients, ledger, say)
    return bool(behind or lost)


def _restate_stale(clients: Clients, ledger: Ledger, say: Say) -> None:
    """Where a finished run's figures are of rows that are gone, what they tell of is measured anew."""
    run, rounds = clients.run, clients.run.rounds
    if rounds.last() != run.config.federation.rounds or ledger.under_way() or not erased(ledger):
        return
    rounds.drop_older()
    stale = run.stale_figures()
    for path, why in stale:
        say(f"{path}: {why}, as if an old copy had been put back: told again")
        if path.parent.parent == rounds.folder:
            rounds.write_entry(without_training(rounds.entry(int(path.parent.name))))
    if stale:
        keep(clients.grid, run, RetrainedShards([], whole(run, (), {})))


def _repeat(clients: Clients, name: str, ledger: Ledger) -> int:
    """A client erases again what it lacks, and serves nothing; the rows that were erased."""
    chain = ledger.chain(name)
    rows = clients.ask({name: Repeat(links=tuple(chain))}, RepeatAnswer)[name].rows
    closed = {request.id for request in ledger.list(State.CLOSED)}
    done = tuple(link.request for link in chain if link.request in closed)
    clients.ask({name: Discard(requests=done)}, Done)  # an old copy may hold what waited for verifications of those
    return rows


def own_item_rows(config: RunConfig) -> bool:
    """Whether clients have item rows that the server knows nothing of."""
    return bool(config.items.rank) and config.items.share == "none"


def _lost(clients: Clients, due: Collection[int]) -> tuple[int, ...]:
    """The shards due whose own item rows some client has lost, with what it served: only training makes them again."""
    if not own_item_rows(clients.run.config) or clients.run.rounds.last() is None:
        return ()
    said = clients.ask(Locate(selection=Selection()), LocateAnswer).values()
    return tuple(sorted(shard for shard in due if not all(answer.served[shard] for answer in said)))


def _not_serving(clients: Clients, ledger: Ledger, due: Collection[int]) -> list[str]:
    """Clients that lack a shard due, as one killed after it had erased again, or serve one of before an erasure."""
    newest = published(clients.run, ledger)
    found = []
    for name, said in clients.ask(Locate(selection=Selection()), LocateAnswer).items():
        served = {shard: digest for shard, digest in enumerate(said.served) if digest}
        if {*due} - served.keys() or differ(newest, {name: served}):
            found.append(name)
    return found
