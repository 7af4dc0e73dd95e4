"""A client's part in a sum of updates under masks: its secrets of one sum at a time, and what it made in a round.

RUN/sum.json    secrets, neighbours and how far the sum at hand is; gone with the last answer about it

Each is answered once: two parts under one mask, or two sets of shares, would tell what the masks are there to hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clients.client import Client
from fedrec.errors import FedrecError
from fedrec.files import read_json, sync, write_json
from fedrec.protocol import masked_answers as a
from fedrec.protocol import questions as q
from fedrec.secure_aggregation.fixed_point import encoded
from fedrec.secure_aggregation.flat import flat
from fedrec.secure_aggregation.participant import Keys, Participant, Secrets

_FILE = "sum.json"


def refuse_unmasked(client: Client) -> None:
    """
    Raises:
        FedrecError: the run sums updates under masks, and one is asked for as it is.
    """
    if client.config.federation.secure_aggregation:
        raise FedrecError(f"client {client.name} tells its updates under masks alone: the run says so")


def advertise(client: Client, question: q.Advertise) -> a.KeysAnswer:
    """Keys for a sum."""
    client.agrees()
    if not client.config.federation.secure_aggregation:
        raise FedrecError(f"client {client.name} masks nothing: the run has federation.secure_aggregation = false")
    secrets = Secrets.new()
    state = {name: value.hex() for name, value in vars(secrets).items()}
    write_json(_path(client), {"sum": question.sum, "secrets": state})
    return a.KeysAnswer(client=client.name, public=_hexed(secrets.keys()))


def share(client: Client, question: q.Share) -> a.SharesAnswer:
    """Its secrets, shared out."""
    state = _state(client, question.sum, "keys")
    write_json(_path(client), {**state, "keys": question.neighbours})
    boxes = _participant(client, state, question.neighbours).shares()
    return a.SharesAnswer(client=client.name, boxes={name: box.hex() for name, box in boxes.items()})


def train_masked(client: Client, question: q.TrainMasked) -> a.MaskedAnswer:
    """What it makes of some shards, as a part of the sum."""
    state = _state(client, question.sum, "sent")
    participant = _participant(client, state, state.get("keys", {}))
    received = question.adapters or client.published(question.round - 1)
    trained = client.train(question.round, received, question.shards)
    part = np.concatenate(
        [
            encoded(flat(new) - flat(old), rows)
            for new, old, rows in zip(trained.adapters, received, trained.examples, strict=True)
        ]
    )
    masked = participant.masked(part, question.sharers)
    write_json(_path(client), {**state, "sent": True})  # before it is told: no second part goes under these masks
    return a.MaskedAnswer(
        client=client.name, round=question.round, examples=trained.examples, epsilon=trained.epsilon, part=masked
    )


def reveal(client: Client, question: q.Reveal) -> a.RevealAnswer:
    """Shares of its neighbours' secrets; its own of that sum are gone when this returns."""
    state = _state(client, question.sum)
    if not state.get("sent"):
        raise FedrecError(f"client {client.name} has no part in the sum whose masks are to be undone")
    boxes = {name: bytes.fromhex(box) for name, box in question.boxes.items()}
    participant = _participant(client, state, state["keys"])
    shares = participant.revealed(boxes, question.inside, question.dropped)
    _path(client).unlink()
    sync(client.store.folder)
    return a.RevealAnswer(client=client.name, shares={name: share.hex() for name, share in shares.items()})


def _path(client: Client) -> Path:
    return client.store.folder / _FILE


def _state(client: Client, sum_: str, not_yet: str = "") -> dict[str, Any]:
    """What is kept of a sum; FedrecError where it is of another, or something was done already."""
    path = _path(client)
    state: dict[str, Any] = read_json(path) if path.exists() else {}
    if state.get("sum") != sum_:
        raise FedrecError(f"client {client.name} has no part in this sum: it is another one's turn")
    if not_yet in state:
        raise FedrecError(f"client {client.name} was asked twice for its part in one sum, and answers once")
    return state


def _participant(client: Client, state: Mapping[str, Any], keys: Mapping[str, Sequence[str]]) -> Participant:
    secrets = Secrets(**{name: bytes.fromhex(value) for name, value in state["secrets"].items()})
    neighbours = {name: Keys(*(bytes.fromhex(each) for each in said)) for name, said in keys.items()}
    return Participant(state["sum"], client.name, secrets, neighbours)


def _hexed(keys: Keys) -> tuple[str, str, str]:
    return keys.share.hex(), keys.mask.hex(), keys.seed.hex()
