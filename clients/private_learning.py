"""A client's training under differential privacy, by the ledger in its home.

Layers learn with all item rows zero: a row is made of many people's answers, and by it one person's would be in the
gradient of every other. Where rows stay with the client, they are made beside, of its own answers, and never leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clients.own_items import stay
from fedrec.errors import FedrecError
from fedrec.models.adapter import State
from fedrec.privacy.ledger import PrivacyLedger
from fedrec.privacy.protection import protection, spent
from fedrec.protocol.adapters import ITEM_ROWS, ITEMS_A, ROWS
from fedrec.training.item_start import with_item_rows
from fedrec.training.loop import Outcome, train
from fedrec.training.private_step import Private
from fedrec.training.step import Learning

if TYPE_CHECKING:
    from clients.client import Client


def train_privately(
    client: Client, shard: int, learning: Learning, checkpoint: Path, on_step: Callable[[int, int], None]
) -> Outcome:
    """What a lesson makes of an adapter, with noise, as far as the budget goes; its loss is not told: it has none."""
    config = client.config
    anchor = None if learning.anchor is None else _without_rows(learning.anchor)
    bare = replace(learning, start=_without_rows(learning.start), anchor=anchor)
    guard = protection(
        config.privacy, ledger_of(client), run=client.store.id, shard=shard, learning=bare.digest,
        epochs=config.train.epochs, rounds=config.federation.rounds,
    )  # fmt: skip
    outcome = train(bare, step=lambda each: Private(each, guard), checkpoint=checkpoint, on_step=on_step)
    rows = with_item_rows(bare).start if stay(config) else bare.start
    state = {**outcome.state, **{key: rows[key] for key in ITEM_ROWS if key in rows}}
    return replace(outcome, state=state, loss=0.0, rows=_asked(learning) * config.train.epochs)


def agrees_to_privacy(client: Client) -> None:
    """
    Raises:
        FedrecError: the client's policy wants a smaller budget than the run has, or one at all.
    """
    wanted, privacy = client.store.home.policy.epsilon, client.config.privacy
    if wanted is None:
        return
    if privacy.at_server:
        raise FedrecError(
            f"client {client.name} takes no part: its client.toml wants noise of its own, privacy.epsilon <= "
            f"{wanted:g}, and with privacy.unit = client the server sees its updates without any"
        )
    if not (privacy.active and privacy.epsilon is not None and privacy.epsilon <= wanted):
        raise FedrecError(f"client {client.name} takes no part: its client.toml wants privacy.epsilon <= {wanted:g}")


def epsilons(client: Client, shards: Sequence[int]) -> tuple[float, ...]:
    """What each shard's trainings have spent; nothing where nothing is promised."""
    privacy = client.config.privacy
    if not privacy.at_clients:
        return ()
    return tuple(spent(privacy, ledger_of(client), client.store.id, shard) for shard in shards)


def ledger_of(client: Client) -> PrivacyLedger:
    return PrivacyLedger(client.store.ledger_path)


def _without_rows(state: State) -> State:
    """An adapter as before anybody has met an item."""
    return state if ROWS not in state else {**state, ITEMS_A: state[ITEMS_A][:0], ROWS: state[ROWS][:0]}


def _asked(learning: Learning) -> int:
    """How many answers there are to learn from, which the server was told before: not how many were drawn."""
    return sum(len(window.rows) for window in learning.lesson.windows)
