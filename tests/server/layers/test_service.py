"""The layer service: what clients learn with it, whatever breaks, and what it refuses."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
import torch

from clients.remote_layers import RemoteMiddle
from fedrec.config import RunConfig, parse
from fedrec.errors import FedrecError
from fedrec.models.adapter import initial_state, to_arrays
from fedrec.models.split import SplitPlan, server_part
from fedrec.protocol import layers
from fedrec.protocol.layers import Ticket
from fedrec.protocol.record import BadMessage
from fedrec.protocol.wire import pack
from fedrec.training.loop import train
from fedrec.training.middle import Begin, MiddleSession
from fedrec.training.middle_batch import forward_together
from fedrec.training.split_step import SplitStep, SplitStopping, split
from fedrec.training.state_bytes import to_bytes
from fedrec.training.step import Learning
from server.layers.service import LayerService
from server.layers.sessions import Sessions
from server.layers.tokens import Tokens
from tests.training.test_split_step import learning, parted, same

PLAN = SplitPlan(1, 1)


def config(told: Learning, **changes: Any) -> RunConfig:
    made = parse({"split": {"head": 1, **changes}})
    return made.model_copy(update={"lora": told.lora, "train": told.config})


def sessions(told: Learning, **changes: Any) -> Sessions:
    return Sessions(server_part(told.model, PLAN), config(told, **changes), most=8)


@contextmanager
def serving(told: Learning, batch: int = 1, **options: Any) -> Iterator[LayerService]:
    held = sessions(told, batch=batch, window=5.0)  # long, so that they come together however busy the machine is
    with LayerService(held, **{"largest": 2**20, "streams": 8} | options) as service:
        yield service


def learnt(told: Learning, ticket: Ticket) -> dict[str, torch.Tensor]:
    with closing(RemoteMiddle(ticket, "fp32")) as remote:
        return train(split(told, PLAN, remote), step=SplitStep, stopping=SplitStopping).state


def short(**changes: Any) -> Learning:
    return learning("llama", epochs=1, **{"stop": "never"} | changes)


def test_over_grpc_it_is_what_it_is_in_the_process() -> None:
    told = short(stop="validation")
    told = replace(told, pull=0.5, anchor=told.start)
    with serving(told) as service:
        there = learnt(told, service.ticket("a"))
        assert not len(service._sessions)
    here = train(parted(told, PLAN), step=SplitStep, stopping=SplitStopping).state
    for name in here:
        assert torch.equal(there[name], here[name]), name


def test_a_stream_that_breaks_is_made_anew_and_no_step_is_done_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third request is answered, and the answer is lost."""
    told, real, asked = short(), RemoteMiddle._exchanged, 0

    def losing(self: RemoteMiddle, data: bytes) -> bytes:
        nonlocal asked
        asked += 1
        answer = real(self, data)
        if asked % 3 == 0:
            self._answers.cancel()  # type: ignore[union-attr]
            raise Lost
        return answer

    monkeypatch.setattr(RemoteMiddle, "_exchanged", losing)
    monkeypatch.setattr("clients.remote_layers._PAUSE", 0.0)
    with serving(told) as service:
        same(learnt(told, service.ticket("a")), train(parted(told, PLAN), step=SplitStep).state)
    assert asked > 20


class Lost(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


def test_clients_that_come_together_are_computed_together_and_learn_what_they_learn_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined: list[int] = []

    def spied(they: Sequence[MiddleSession], *what: Any) -> list[torch.Tensor]:
        joined.append(len(they))
        return forward_together(they, *what)

    monkeypatch.setattr("server.layers.turns.forward_together", spied)
    told = [replace(each, start=initial_state(each.model, each.lora, i)) for i, each in enumerate([short()] * 3)]
    with serving(told[0], batch=3) as service, ThreadPoolExecutor(3) as clients:
        there = list(clients.map(lambda i: learnt(told[i], service.ticket(f"client-{i}")), range(3)))
    assert joined.count(3) >= 4
    for each, state in zip(told, there, strict=True):
        same(state, train(parted(each, PLAN), step=SplitStep).state)


def test_one_that_lies_about_its_rows_leaves_the_others_theirs() -> None:
    told, fine = short(), forward(learn=False)
    held = sessions(told, batch=2, window=0.1)
    good, bad = asking(told), asking(told)
    for ask, client in ((good, "a"), (bad, "b")):
        held.answer(client, ask(layers.Open, 1, **opening(told)))
        held.answer(client, ask(layers.Forward, 2, **fine))
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(held.answer, "a", good(layers.Forward, 3, **forward()))
        second = clients.submit(held.answer, "b", bad(layers.Forward, 3, **forward(width=15)))
        assert first.result()
        with pytest.raises(BadMessage):
            second.result()


def asking(told: Learning) -> Callable[..., bytes]:
    """Makes requests of one session."""
    id = secrets.token_hex(16)

    def request(kind: type[layers.LayerRequest], number: int, **more: Any) -> bytes:
        return pack(kind(session=id, number=number, **more).content())

    return request


def begin(told: Learning) -> Begin:
    return Begin(parted(told, PLAN).parted(told.start)[1], told.lora)


def opening(told: Learning) -> dict[str, Any]:
    return {"adapters": [to_arrays(begin(told).start)], "pull": 0.0, "seed": 0}


def forward(lengths: tuple[int, ...] = (3, 2), width: int = 16, learn: bool = True) -> dict[str, Any]:
    states = torch.ones(sum(lengths), width)
    return {"lengths": lengths, "shape": tuple(states.shape), "learn": learn, "states": to_bytes(states, "fp32")}


def test_what_is_no_request_or_comes_at_another_time_changes_nothing() -> None:
    told = short()
    held, ask = sessions(told), asking(told)
    first = held.answer("a", ask(layers.Open, 1, **opening(told)))
    assert held.answer("a", ask(layers.Open, 1, **opening(told))) == first
    good = forward()
    done = held.answer("a", ask(layers.Forward, 2, **good))
    assert held.answer("a", ask(layers.Forward, 2, **good)) == done  # said again
    gradient = {"wanted": True, "shape": (5, 16)}
    wrong: list[tuple[str, bytes]] = [
        ("b", ask(layers.Fetch, 3)),
        ("a", ask(layers.Fetch, 7)),
        ("a", ask(layers.Fetch, 1)),
        ("a", asking(told)(layers.Fetch, 1)),
        ("a", b"nothing"),
        ("a", pack(Ticket().content())),
        ("a", ask(layers.Forward, 3, **{**good, "lengths": (3, 3)})),
        ("a", ask(layers.Forward, 3, **{**good, "lengths": (5, 0)})),
        ("a", ask(layers.Forward, 3, **forward(width=15))),
        ("a", ask(layers.Forward, 3, **{**good, "states": good["states"][:-1]})),
        ("a", ask(layers.Step, 3, rate=-1.0, clip=1.0)),
        ("a", asking(told)(layers.Open, 1, **{**opening(told), "adapters": []})),
        ("a", asking(told)(layers.Open, 1, **{**opening(told), "adapters": [to_arrays(told.start)]})),
    ]  # fmt: skip
    for client, data in wrong:
        with pytest.raises(BadMessage) as refused:
            held.answer(client, data)
        assert "\n" not in str(refused.value)
    held.answer("a", ask(layers.Forward, 3, **good))
    held.answer("a", ask(layers.Backward, 4, **gradient, states=to_bytes(torch.ones(5, 16), "fp32")))
    with pytest.raises(BadMessage, match="no forward"):
        held.answer("a", ask(layers.Backward, 5, **gradient, states=to_bytes(torch.ones(5, 16), "fp32")))
    assert len(held) == 1


def test_sessions_are_so_many_at_most_and_are_forgotten_when_left_alone() -> None:
    told, now = short(), [0.0]
    held = Sessions(server_part(told.model, PLAN), config(told), most=5, clock=lambda: now[0])
    for _ in range(4):
        held.answer("a", asking(told)(layers.Open, 1, **opening(told)))
    with pytest.raises(BadMessage, match="4 of them the client's"):
        held.answer("a", asking(told)(layers.Open, 1, **opening(told)))
    held.answer("b", asking(told)(layers.Open, 1, **opening(told)))
    with pytest.raises(BadMessage, match="5 sessions"):
        held.answer("c", asking(told)(layers.Open, 1, **opening(told)))
    now[0] = 60.0
    assert sorted(held.drop(60.0)) == ["a", "a", "a", "a", "b"]
    assert not len(held)


def test_tokens_are_of_one_service_and_for_a_while() -> None:
    now = [0.0]
    tokens = Tokens(10, lambda: now[0])
    token = tokens.of("ü.1")
    assert tokens.client(token) == "ü.1"
    for wrong in ("", ".", "é.é", token[:-1], "x" + token, Tokens(10).of("ü.1")):
        with pytest.raises(BadMessage, match="none of this round"):
            tokens.client(wrong)
    now[0] = 11.0
    with pytest.raises(BadMessage, match="too old"):
        tokens.client(token)


def test_strangers_floods_and_stalls_end_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.remote_layers._PAUSE", 0.0)
    told = short()
    with serving(told, patience=0.4, largest=2**17) as service:
        ticket = service.ticket("a")
        with pytest.raises(FedrecError, match="none of this round"):
            learnt(told, Ticket(address=ticket.address, token="x.y"))
        with closing(RemoteMiddle(ticket, "fp32")) as remote, pytest.raises(FedrecError, match="larger than max"):
            remote.ask(layers.Forward(session="0" * 32, number=1, **forward((2**12,))), layers.States)
        with closing(RemoteMiddle(ticket, "fp32")) as remote:
            session = remote.open(begin(told))
            until = time.monotonic() + 5
            while len(service._sessions) and time.monotonic() < until:
                time.sleep(0.05)
            with pytest.raises(FedrecError, match="no such session"):
                session.forward((1,), torch.ones(1, 16), False)
        same(learnt(told, service.ticket("b")), train(parted(told, PLAN), step=SplitStep).state)
