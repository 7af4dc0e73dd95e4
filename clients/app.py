"""The Flower ClientApp: answers each kind of question (`fedrec.protocol.questions`) on the client's own side."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

import fedrec.models.adapter_bank  # noqa: F401  first in both apps: Flower imports them in two threads at once
from clients import erasure, masked_updates
from clients.client import Client
from clients.client_run import ClientRun
from clients.home import Home, homes_in, open_home
from clients.lineage import changed_shards
from clients.spread import spread as spread_of
from fedrec.data.user_hash import mark_of
from fedrec.ensemble import erasure_steps
from fedrec.errors import FedrecError
from fedrec.protocol import answers as a
from fedrec.protocol import questions as q
from fedrec.protocol.adapters import model_hash
from fedrec.protocol.item_rows import check
from fedrec.protocol.record import BadMessage, Content, Record
from fedrec.protocol.wire import pack, unpack
from fedrec.tasks import task_of

app = ClientApp()

Asked = TypeVar("Asked", bound=q.Question)
Answering = Callable[[Client, Asked], a.Answer]


def answers(kind: type[Asked]) -> Callable[[Answering[Asked]], Answering[Asked]]:
    """The function answers questions of this kind. Here, and nowhere else, a message is read and a reply written.

    A message that is no such question is answered with an error, of one line.
    """

    def register(answering: Answering[Asked]) -> Answering[Asked]:
        def reply(message: Message, context: Context) -> Message:
            question, home = kind.of(content_of(message)), _home(context)
            if home is None:
                return Message(carried(a.InventoryAnswer(client="", users=0, examples=())), reply_to=message)
            run = ClientRun(home, question.run)
            if lacks := run.lacks(question.facts):
                return Message(carried(a.Lacks(client=home.name, lacks=lacks)), reply_to=message)
            client = Client(run)
            for state in question.adapters if isinstance(question, q.AboutShards) else ():
                check(state, len(client.catalogue), client.config.items.rank)
            return Message(carried(answering(client, question)), reply_to=message)

        category, action = kind.kind.split(".")
        getattr(app, category)(action)(reply)
        return answering

    return register


def content_of(message: Message) -> Content:
    """
    Raises:
        BadMessage: it carries no record.
    """
    try:
        data = message.content.array_records["record"]["bytes"].numpy().tobytes()
    except Exception:  # it is the sender's own
        raise BadMessage("it carries no record") from None
    return unpack(data)


def carried(record: Record) -> RecordDict:
    """A record as a message carries it."""
    data = np.frombuffer(pack(record.content()), np.uint8)
    return RecordDict({"record": ArrayRecord({"bytes": Array(data)})})


@answers(q.Inventory)
def inventory(client: Client, question: q.Inventory) -> a.InventoryAnswer:
    """Who is behind this node, and how much there is to learn from."""
    return client.inventory()


@answers(q.Inform)
def inform(client: Client, question: q.Inform) -> a.Done:
    """Keep what is told of the run."""
    client.store.keep(question.told)
    return a.Done(client=client.name)


@answers(q.Train)
def train(client: Client, question: q.Train) -> a.TrainAnswer:
    """Train the adapters of the shards that are asked for, each on this client's rows of it."""
    masked_updates.refuse_unmasked(client)
    return client.train(question.round, question.adapters, question.shards, question.layers)


@answers(q.Unlearn)
def unlearn(client: Client, question: q.Unlearn) -> a.TrainAnswer:
    """Forget erased rows that wait here, or train as in any round."""
    from clients.unlearning import unlearn as unlearn_erased  # not every client is ever asked

    masked_updates.refuse_unmasked(client)
    return unlearn_erased(client, question.round, question.adapters, question.shards, question.requests)


@answers(q.Evaluate)
def evaluate(client: Client, question: q.Evaluate) -> a.EvaluateAnswer:
    """Serve the published model from now on, or go on serving; and measure it on this client's test rows."""
    if question.adapters:
        client.serve(question.round, question.adapters, question.shards)
    metrics, rows = client.measure(question.round, question.share)
    served = model_hash(list(client.store.ensemble.hashes().values()))
    scores = task_of(client.config).shared(rows, question.sharing, client.sharing)
    return a.EvaluateAnswer(client=client.name, round=question.round, served=served, metrics=metrics, scores=scores)


@answers(q.Spread)
def spread(client: Client, question: q.Spread) -> a.SpreadAnswer:
    """What its people add to the variance of the AUC over everybody's rows."""
    return a.SpreadAnswer(client=client.name, variance=spread_of(client, question.round, question.counts))


@answers(q.Serve)
def serve(client: Client, question: q.Serve) -> a.ServeAnswer:
    """Serve adapters from now on, beside those that are served."""
    erasure.serve(client, question.adapters, question.shards)
    return a.ServeAnswer(client=client.name, served=_served(client))


@answers(q.Locate)
def locate(client: Client, question: q.Locate) -> a.LocateAnswer:
    """What is here of a selection: counts and shards; and hashes of the data and of what is served."""
    held = erasure_steps.locate(client, question.selection)
    changed = changed_shards(client.store, client.interactions)
    data = client.store.vault.known_by(client.interactions, client.store.catalogue) or ""
    return a.LocateAnswer(
        client=client.name, rows=held.rows, shards=held.shards, changed=changed,
        left=held.left, served=_served(client), data=data,
    )  # fmt: skip


@answers(q.Find)
def find(client: Client, question: q.Find) -> a.FindAnswer:
    """Whether anything is here of people who are told by keyed hashes of their ids."""
    wanted, key = {*question.marks}, bytes.fromhex(question.key)
    found = any(mark_of(key, person) in wanted for person in erasure_steps.people(client))
    return a.FindAnswer(client=client.name, found=found)


@answers(q.Withdraw)
def withdraw(client: Client, question: q.Withdraw) -> a.WithdrawAnswer:
    """Stop serving the shards that are named."""
    left, rows = erasure.withdraw(client, question.selection, question.shards)
    return a.WithdrawAnswer(client=client.name, shards=tuple(left), rows=rows)


@answers(q.Erase)
def erase(client: Client, question: q.Erase) -> a.EraseAnswer:
    """Delete what is selected, and what was made of it."""
    rows = erasure.erase(client, question.selection, question.request)
    return a.EraseAnswer(client=client.name, rows=rows, waiting=erasure_steps.waiting(client, question.request))


@answers(q.Rehearse)
def rehearse(client: Client, question: q.Rehearse) -> a.RehearseAnswer:
    """How erased rows look to the adapters that come along."""
    return erasure.rehearse(client, question.requests, question.adapters, question.shards, question.unseen)


@answers(q.Discard)
def discard(client: Client, question: q.Discard) -> a.Done:
    """Nothing of erased rows is kept any longer."""
    erasure.discard(client, question.requests)
    return a.Done(client=client.name)


@answers(q.Chain)
def chain(client: Client, question: q.Chain) -> a.ChainAnswer:
    """The chain of erasures here, and whether what is served may be; no person is named."""
    head, links = client.store.vault.chain(question.after)
    serves = not any(client.store.ensemble.misleading())
    return a.ChainAnswer(client=client.name, head=head or "", links=tuple(links), serves=serves)


@answers(q.Leave)
def leave(client: Client, question: q.Leave) -> a.Done:
    """Have nothing of the run any longer."""
    client.store.leave()
    return a.Done(client=client.name)


@answers(q.Repeat)
def repeat(client: Client, question: q.Repeat) -> a.RepeatAnswer:
    """Serve nothing until `serve`, and erase again what is missing here of the links that come along."""
    return a.RepeatAnswer(client=client.name, rows=erasure.repeat(client, question.links))


answers(q.Advertise)(masked_updates.advertise)
answers(q.Share)(masked_updates.share)
answers(q.TrainMasked)(masked_updates.train_masked)
answers(q.Reveal)(masked_updates.reveal)


def _served(client: Client) -> tuple[str, ...]:
    """The hash of each shard's adapter, without item rows that stay here; empty where none is served."""
    client.ensemble.hashes()  # FedrecError where it serves what it must not
    hashes = client.store.known_to_server()
    return tuple(hashes.get(shard, "") for shard in range(client.config.shards))


def _home(context: Context) -> Home | None:
    """The home of this node, as its own configuration says; in a simulation of Flower's one of those in a folder, by
    its number, and none for a node too many.

    Raises:
        FedrecError: nothing says where it is.
    """
    told, of_run = context.node_config, context.run_config
    if home := told.get("home"):
        base, facts = (str(told.get(key) or "") for key in ("base", "facts"))
        return _opened(Path(str(home)), base or None, Path(facts) if facts else None)
    if not (folder := of_run.get("homes")):
        raise FedrecError(
            "this node has no home: flower-supernode --node-config 'home=\"/path/to/home\"', or in a simulation "
            "flwr run -c 'homes=\"/path/to/homes\"'"
        )
    homes, place = homes_in(Path(str(folder))), int(told["partition-id"])
    return homes[place] if place < len(homes) else None


@lru_cache(maxsize=1024)
def _opened(folder: Path, base: str | None, facts: Path | None) -> Home:
    """The home, whose settings are read once a process and not once a message."""
    return open_home(folder, base, facts)
