"""What a step costs when the middle of the model is computed by the layer service, beside the same step in one place.

A random Llama of eight blocks and width 256, two windows of 384 tokens a step, LoRA of rank 8 on every linear layer; a
client has the first block and the last, the service the six between, over gRPC on loopback. All in one process of one
thread, and told in CPU seconds, which other work on the machine does not change: of client and service together.

    wire       whole, split in the process, and over gRPC by type: CPU seconds, bytes a step, and how near its adapter
               comes to the whole model's (cosine of what was learnt)
    together   CPU seconds a step of 1, 2, 4, 8 clients, each by itself and in one pass; and the same of windows of 48
               tokens, of which several fit in a pass on a CPU

    python -m experiments.split_layers
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from clients.remote_layers import RemoteMiddle
from experiments.common import run_command, write_result
from fedrec.config import LoraConfig, RunConfig, TrainConfig, parse
from fedrec.data.prompts import Window
from fedrec.models.adapter import State, initial_state
from fedrec.models.attention import use_matmul_attention
from fedrec.models.pretraining import new_llama
from fedrec.models.split import SplitPlan, server_part
from fedrec.tasks.like import YesOrNo
from fedrec.training.lesson import Lesson
from fedrec.training.loop import train
from fedrec.training.middle import Link, MiddleHere
from fedrec.training.split_step import SplitStep, split
from fedrec.training.state_bytes import Wire
from fedrec.training.step import Learning
from server.layers.service import LayerService
from server.layers.sessions import Sessions

PLAN, LENGTH, SHORT, BATCH, STEPS = SplitPlan(1, 1), 384, 48, 2, 6
WIRES: tuple[Wire, ...] = ("fp32", "bf16", "fp16", "int8")
CLIENTS = (1, 2, 4, 8)


def main() -> None:
    """What a step over the layer service costs."""
    torch.set_num_threads(1)
    told = learning(LENGTH)
    train(told)  # kernels are chosen, memory is had
    seconds, whole = timed(lambda: train(told).state)
    found: dict[str, Any] = {"whole": {"cpu_seconds": seconds / STEPS}}
    with_middle = MiddleHere(server_part(told.model, PLAN))
    seconds, state = timed(lambda: train(split(told, PLAN, with_middle), step=SplitStep).state)
    found["process"] = {"cpu_seconds": seconds / STEPS, "cosine": cosine(told.start, state, whole)}
    for wire in WIRES:
        found[f"grpc {wire}"] = over_grpc(told, wire, whole)
    together = {f"{LENGTH} tokens": together_of(told), f"{SHORT} tokens": together_of(learning(SHORT))}
    print(*(f"{name:12} {values}" for name, values in (found | together).items()), sep="\n")
    write_result("split_layers", {"steps": STEPS, "wire": found, "together": together})


def together_of(told: Learning) -> dict[str, dict[str, float]]:
    """CPU seconds a step, by clients."""
    whole, _ = timed(lambda: train(told).state)
    found = {str(n): {"alone": side_by_side(told, n, 1), "in one pass": side_by_side(told, n, n)} for n in CLIENTS}
    return {"whole": {"alone": whole / STEPS}, **found}


def learning(length: int) -> Learning:
    model = new_llama(2000, 256, 8, 512, 0).eval()
    use_matmul_attention(model)
    lora = LoraConfig(rank=8, alpha=16.0)
    random, rows = np.random.default_rng(0), STEPS * BATCH
    windows = [Window(random.integers(5, 2000, length), np.array([length - 1]), np.array([row])) for row in range(rows)]
    labels, users = np.arange(rows, dtype=np.int8) % 2, np.arange(rows, dtype=np.int32)
    lesson = Lesson(windows, labels, users, YesOrNo((1, 2)), (1, "a", 0, 1), 0, 1)
    config = TrainConfig(batch=BATCH, warmup=0, schedule="constant", stop="never", precision="fp32", device="cpu")
    return Learning(model, lora, initial_state(model, lora, 0), lesson, config)


def configuration(told: Learning, **settings: Any) -> RunConfig:
    made = parse({"split": {"head": 1, **settings}, "prompt": {"window": LENGTH}})
    return made.model_copy(update={"lora": told.lora, "train": told.config})


def serving(told: Learning, **settings: Any) -> LayerService:
    held = Sessions(server_part(told.model, PLAN), configuration(told, **settings), most=64)
    return LayerService(held, largest=2**26, streams=16)


def over_grpc(told: Learning, wire: Wire, whole: State) -> dict[str, Any]:
    with serving(told, wire=wire) as service, closing(RemoteMiddle(service.ticket("a"), wire)) as remote:
        counted = Counted(remote)
        seconds, state = timed(lambda: train(split(told, PLAN, remote), step=SplitStep).state)
    return {
        "cpu_seconds": seconds / STEPS,
        "bytes": counted.bytes / STEPS,
        "cosine": cosine(told.start, state, whole),
    }


class Counted:
    """Counts the bytes of a link's requests and answers, in place."""

    def __init__(self, remote: RemoteMiddle) -> None:
        self.bytes, exchanged = 0, remote._exchanged

        def counting(data: bytes) -> bytes:
            answer = exchanged(data)
            self.bytes += len(data) + len(answer)
            return answer

        remote._exchanged = counting  # type: ignore[method-assign]


def side_by_side(told: Learning, count: int, batch: int) -> float:
    """CPU seconds a step of so many clients at once."""

    def learn(service: LayerService, client: int) -> None:
        lesson = replace(told.lesson, key=(client, "a", 0, 1))
        with closing(RemoteMiddle(service.ticket(str(client)), "fp32")) as remote:
            link: Link = remote
            train(split(replace(told, lesson=lesson), PLAN, link), step=SplitStep)

    with serving(told, batch=batch) as service, ThreadPoolExecutor(count) as clients:
        seconds, _ = timed(lambda: list(clients.map(lambda client: learn(service, client), range(count))))
    return seconds / STEPS / count


def timed(compute: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    found = compute()
    return time.process_time() - began, found


def cosine(start: State, one: State, other: State) -> float:
    """Of what was learnt."""
    moved = [torch.cat([(state[name] - start[name]).flatten() for name in start]) for state in (one, other)]
    return float(torch.cosine_similarity(*moved, 0))


if __name__ == "__main__":
    run_command(main)
