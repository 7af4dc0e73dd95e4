"""A server killed in the middle of a round: nobody is asked twice, and no stale answer counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message

from clients.app import app as client_app
from fedrec.protocol.adapters import Model
from fedrec.protocol.answers import EvaluateAnswer, TrainAnswer
from fedrec.protocol.questions import Evaluate, Inventory, Train
from server.calls import content_of
from server.reply_cache import Cached, ReplyCache, question_of
from server.simulated_run import open_run
from server.training import run_rounds
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from tests.server.test_federation import made, result_of


class Counting:
    """The real client app, which notes the messages that it has answered, and dies at its n-th."""

    def __init__(self, alive: int = 10**9) -> None:
        self.alive = alive
        self.answered: list[tuple[str, str, int]] = []

    def __call__(self, message: Message, context: Context) -> Message:
        self.alive -= 1
        if self.alive < 0:
            raise KeyboardInterrupt
        reply = client_app(message, context)
        kind = message.metadata.message_type
        if kind != Inventory.kind:
            number = content_of(message).values["round"]
            self.answered.append((kind, content_of(reply).values["client"], number))
        return reply


@pytest.mark.parametrize("strategy", ["pplr", "ditto"])
def test_a_server_killed_at_any_message_asks_nobody_twice(strategy: str, tmp_path: Path, small: Settings) -> None:
    """What a client answered is kept with the round, and its bytes are counted once."""
    settings = small(strategy=strategy, federation__rounds=1)
    whole, once = made(tmp_path / "whole", settings), Counting()
    run_rounds(LocalGrid(once, whole.nodes()), whole)  # type: ignore[arg-type]
    expected = result_of(whole)
    for alive in range(3, 3 + len(once.answered)):
        run, first, second = made(tmp_path / str(alive), settings), Counting(alive), Counting()
        with pytest.raises(KeyboardInterrupt):
            run_rounds(LocalGrid(first, run.nodes()), run)  # type: ignore[arg-type]
        again = open_run(run.folder)
        run_rounds(LocalGrid(second, run.nodes()), again)  # type: ignore[arg-type]
        assert sorted(first.answered + second.answered) == sorted(once.answered)
        found = result_of(again)
        assert (found["adapter_hash"], found["bytes_up"]) == (expected["adapter_hash"], expected["bytes_up"])
        assert [entry["clients"] for entry in found["history"]] == [entry["clients"] for entry in expected["history"]]
        assert not list(run.folder.glob("rounds/*.unfinished"))


def test_an_answer_to_another_question_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept counts for these adapters, this round, these shards and this version only, and if it is whole."""
    state = {"layer.A": np.ones((1, 2), np.float32), "layer.B": np.zeros((2, 1), np.float32)}
    said = TrainAnswer(client="client-0", round=1, adapters=[state], loss=(0.7,), examples=(3,))
    kept, question = ReplyCache(tmp_path / "kept"), asked(1, 0, [state])
    kept.write("client-0", question, Cached(said, 7))
    known = kept.read(TrainAnswer, "client-0", question)
    assert known is not None
    assert repr(known) == repr(Cached(said, 7))
    others = [
        asked(2, 0, [state]),
        asked(1, 1, [state]),
        question_of(Evaluate(round=1, shards=(0,), share=0.5, sharing="scores").carrying([state])),
        asked(1, 0, [{**state, "x.A": state["layer.A"]}]),
    ]
    for other in others:
        assert kept.read(TrainAnswer, "client-0", other) is None
    assert kept.read(EvaluateAnswer, "client-0", question) is None
    assert kept.read(TrainAnswer, "client-1", question) is None
    with monkeypatch.context() as later:
        later.setattr(TrainAnswer, "version", 2)
        assert kept.read(TrainAnswer, "client-0", question) is None
    (path,) = (tmp_path / "kept").rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    assert kept.read(TrainAnswer, "client-0", question) is None


def asked(number: int, shard: int, model: Model) -> str:
    return question_of(Train(round=number, shards=(shard,)).carrying(model))
