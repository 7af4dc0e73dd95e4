"""How high a title stands in people's lists: of titles that a person has not met, the share that it is above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.data.prompts import PromptEncoder
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.served_model import ServedModel
from fedrec.intervals import mean_margin
from fedrec.models.adapter import to_state
from fedrec.models.base import Base
from fedrec.privacy.attacks.finding import Finding
from fedrec.protocol.adapters import Model, State
from fedrec.tasks.task import Readout
from server.attacks.target import served
from server.simulated_run import SimulatedRun

_CLIENTS, _PEOPLE, _BESIDE = 5, 8, 50  # clients, people of each, and titles that a title is held against
MEASURE = "share of titles it stands above"

Ask = Callable[[str], ServedModel]
"""The model that a client answers with."""


def places(
    run: SimulatedRun, encoder: PromptEncoder, ask: Ask, targets: Sequence[int], but: str | None = None
) -> NDArray[np.float64]:
    """(P, T) of some people, for each target the share of their unseen titles that it stands above; a tie counts half.

    Args:
        but: a client whose people are not asked.
    """
    found = []
    for name in [name for name in run.clients if name != but][:_CLIENTS]:
        answers = ask(name)
        try:
            found += [_of_person(answers, encoder, *person, targets) for person in _people(run, name)]
        finally:
            answers.close()
    return np.stack(found)


def _people(run: SimulatedRun, name: str) -> Iterator[tuple[list[int], list[int], list[int]]]:
    """Of some people of a client: items and labels of their past, and unseen items."""
    rows = run.rows_of(name)
    random = np.random.default_rng(run.config.seed)
    for user in random.permutation(np.unique(rows.user))[:_PEOPLE]:
        mine = rows.user == user
        unseen = np.setdiff1d(np.arange(len(run.catalogue)), rows.item[mine])
        yield rows.item[mine].tolist(), rows.label[mine].tolist(), random.permutation(unseen)[:_BESIDE].tolist()


def _of_person(
    answers: ServedModel,
    encoder: PromptEncoder,
    items: list[int],
    labels: list[int],
    beside: list[int],
    targets: Sequence[int],
) -> NDArray[np.float64]:
    asked = [encoder.question(item) for item in (*targets, *beside)]
    scores = answers.candidates(encoder.past_of(items, labels), asked)
    mine, others = scores[: len(targets), None], scores[None, len(targets) :]
    counted = np.broadcast_to(~np.isin(beside, targets), (len(targets), len(beside)))
    above = (mine > others) + (mine == others) / 2
    return np.asarray(np.where(counted, above, 0).sum(1) / np.maximum(counted.sum(1), 1))


def answering(run: SimulatedRun, base: Base, readout: Readout, model: Model | Sequence[State]) -> ServedModel:
    """A client's model of all shards, which count equally."""
    config = run.config.model_copy(update={"aggregator": "average-nd"})
    adapters: Mapping[int, State] = dict(enumerate(model))
    states = {shard: to_state(served(state, run.initial)) for shard, state in adapters.items()}
    return ServedModel(base, config, readout, states, Judged.nobody(config.shards))


def place(read: str, people: NDArray[np.float64], before: float) -> Finding:
    """The mean of people's (P,), with a 95 % interval over them.

    Args:
        before: without the attack.
    """
    value, margin = float(people.mean()), mean_margin(people.tolist())
    return Finding(read, MEASURE, value, max(0.0, value - margin), min(1.0, value + margin), before)
