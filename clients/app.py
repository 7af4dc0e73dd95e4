"""The Flower ClientApp: answers three kinds of message on the client's own side (see `fedrec.messages`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from clients import erasure, local
from fedrec import messages
from fedrec.data.selection import Selection
from fedrec.served import hashes_in, is_allowed
from fedrec.serving import model_hash
from fedrec.store import Run
from fedrec.vault.chain import columns, of_columns

app = ClientApp()


@app.query("inventory")
def inventory(message: Message, context: Context) -> Message:
    """Who is behind this node, and how much there is to learn from; no person is named."""
    name = _name(message, context)
    counts = local.Client(_run(message), name).inventory() if name else {}
    return _reply(message, name, None, counts)


@app.train("lora")
def train(message: Message, context: Context) -> Message:
    """Train the adapters of the shards that are asked for, each on this client's rows of it."""
    client = local.Client(_run(message), _name(message, context))
    model, metrics = client.train(_number(message, "round"), _model(message), _shards(message))
    return _reply(message, client.name, model, metrics)


@app.evaluate("like")
def evaluate(message: Message, context: Context) -> Message:
    """Serve the published model from now on, or go on serving; and measure it on this client's test rows."""
    client = local.Client(_run(message), _name(message, context))
    if (published := _model(message)) is not None:
        client.serve(_number(message, "round"), published, _shards(message))
    metrics = client.measure(_number(message, "round"), _share(message))
    return _reply(message, client.name, None, metrics, served=model_hash(list(hashes_in(client.store).values())))


@app.query("serve")
def serve(message: Message, context: Context) -> Message:
    """Serve adapters from now on, beside those that are served."""
    client = local.Client(_run(message), _name(message, context))
    erasure.serve(client, _model(message) or [], _shards(message))
    return _reply(message, client.name, None, {}, adapters=_served(client))


@app.query("locate")
def locate(message: Message, context: Context) -> Message:
    """What is here of a selection: counts and shards; and hashes of the data and of what is served."""
    client = local.Client(_run(message), _name(message, context))
    held = erasure.locate(client, _selection(message))
    return _reply(
        message, client.name, None, {}, rows=held.rows, shards=list(held.shards), left=held.left,
        adapters=_served(client), **_data(client),
    )  # fmt: skip


@app.query("withdraw")
def withdraw(message: Message, context: Context) -> Message:
    """Stop serving the shards that are named."""
    client = local.Client(_run(message), _name(message, context))
    left, rows = erasure.withdraw(client, _selection(message), _shards(message))
    return _reply(message, client.name, None, {}, shards=left, rows=rows)


@app.query("erase")
def erase(message: Message, context: Context) -> Message:
    """Delete what is selected, and what was made of it."""
    client = local.Client(_run(message), _name(message, context))
    rows = erasure.erase(client, _selection(message), _requests(message)[0])
    return _reply(message, client.name, None, {}, rows=rows)


@app.query("chain")
def chain(message: Message, context: Context) -> Message:
    """The chain of erasures here, and whether what is served may be; no person is named."""
    store = local.Client(_run(message), _name(message, context)).store
    head, links = store.vault.chain(_number(message, "after"))
    serves = store.manifest is None or is_allowed(store)
    return _reply(message, store.name, None, {}, head=head or "", serves=serves, **columns(links))


@app.query("repeat")
def repeat(message: Message, context: Context) -> Message:
    """Serve nothing until `serve`, and erase again what is missing here of the links that come along."""
    client = local.Client(_run(message), _name(message, context))
    links = of_columns(message.content.config_records[messages.CONFIG])
    return _reply(message, client.name, None, {}, rows=erasure.repeat(client, links, _number(message, "round")))


@app.query("rehearse")
def rehearse(message: Message, context: Context) -> Message:
    """How erased rows look to the adapters that come along; with none, nothing of the rows is kept any longer."""
    client, requests = local.Client(_run(message), _name(message, context)), _requests(message)
    model = _model(message)
    if model is None:
        erasure.forget_held(client, requests)
        return _reply(message, client.name, None, {})
    found = erasure.rehearse(client, requests, model, _shards(message), _number(message, "unseen"))
    return _reply(message, client.name, None, {}, **found)


def _served(client: local.Client) -> list[str]:
    """The hash of each shard's adapter; empty where none is served."""
    hashes = hashes_in(client.store)
    return [hashes.get(shard, "") for shard in range(client.config.shards)]


def _requests(message: Message) -> list[str]:
    requests = message.content.config_records[messages.CONFIG]["requests"]
    assert isinstance(requests, list)
    return [str(request) for request in requests]


def _data(client: local.Client) -> dict[str, str]:
    """What the client's rows are known by, which only it could make or guess: `Vault.manifest`."""
    return {"data": client.store.vault.manifest()["digest"] or ""}


def _selection(message: Message) -> Selection:
    return Selection.model_validate_json(str(message.content.config_records[messages.CONFIG]["selection"]))


def _run(message: Message) -> Run:
    """The run, whose configuration, catalogue and clients are read once a process and not once a message."""
    folder = Path(str(message.content.config_records[messages.CONFIG]["run"]))
    written = (folder / "config.json").stat()
    return _opened(folder, (written.st_ino, written.st_mtime_ns))


@lru_cache(maxsize=8)
def _opened(folder: Path, written: tuple[int, int]) -> Run:
    return Run(folder)


def _number(message: Message, name: str) -> int:
    number = message.content.config_records[messages.CONFIG][name]
    assert isinstance(number, int)
    return number


def _share(message: Message) -> float:
    share = message.content.config_records[messages.CONFIG]["share"]
    assert isinstance(share, float)
    return share


def _shards(message: Message) -> list[int]:
    shards = message.content.config_records[messages.CONFIG]["shards"]
    assert isinstance(shards, list)
    return [int(shard) for shard in shards]


def _name(message: Message, context: Context) -> str:
    """The client's name in the partition: its own configuration says who it is, never a node id.

    A node too many is nobody, and has no name.
    """
    own = context.node_config.get("client")
    if own:
        return str(own)
    names, place = _run(message).clients, int(context.node_config["partition-id"])
    return names[place] if place < len(names) else ""


def _model(message: Message) -> messages.Model | None:
    record = message.content.array_records.get(messages.ARRAYS)
    return None if record is None else messages.from_arrays({name: array.numpy() for name, array in record.items()})


def _reply(
    message: Message,
    name: str,
    model: messages.Model | None,
    metrics: Mapping[str, int | float],
    **facts: Any,
) -> Message:
    content = RecordDict(
        {messages.CONFIG: ConfigRecord({"client": name, **facts}), messages.METRICS: MetricRecord(dict(metrics))}
    )
    if model is not None:
        arrays = {key: Array(array) for key, array in messages.to_arrays(model).items()}
        content[messages.ARRAYS] = ArrayRecord(arrays)
    return Message(content, reply_to=message)
