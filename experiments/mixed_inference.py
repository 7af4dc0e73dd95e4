"""What eight adapters in one pass cost, beside one adapter of PEFT and beside SISA's eight passes.

Adapters of rank 8 on q_proj and v_proj, a batch of 64 sequences, every row with weights of its own:

    peft      one adapter, through the peft package, not merged into the weights
    base      no adapter
    ND, D     eight adapters mixed in one pass of the bank (algorithms.md 2.3)
    passes    eight passes of the bank, one for each adapter, as SISA answers
    vectors   the pass of the base alone that APA's weights are read from where they depend on the row; ND + vectors
              is what such an answer costs in full

on a random Llama of width 1,024 (few layers: adapters cost the same part of each) and on the embedded base model, on
the CPU with one thread. Every repeat times all of them, in alternating order; a ratio is of two times of one repeat,
and medians are told. Before that, one-hot weights must answer as PEFT does with the same numbers.

Memory, in bytes: the parameters of the bank beside those of the base and of one adapter; and the peak of what torch
allocates in one pass, which the mixture should raise by next to nothing.

    python -m experiments.mixed_inference
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import peft
import torch
import typer
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from experiments.common import run_command, write_result
from fedrec.base_models.named import base_name
from fedrec.config import LoraConfig, load
from fedrec.data.load import load_dataset
from fedrec.data_settings import WorldConfig
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed, Routing
from fedrec.models.base import load_base
from fedrec.models.body import hidden_states
from fedrec.models.pretraining import new_llama

LORA = LoraConfig(rank=8, alpha=16.0, targets=("q_proj", "v_proj"))
ADAPTERS, BATCH = 8, 64
GOALS = {"width 1024": 1.25, "embedded": 1.6}  # ND over one PEFT adapter
PASSES_GOAL = 5.0  # passes over ND
NAMES = ("peft", "base", "ND", "D", "passes")


class Bench:
    """A model under PEFT with adapter 0, and beside it with a bank of all adapters; one batch to answer."""

    def __init__(self, model: Any, length: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.model = model.eval().requires_grad_(False)
        self.ids = torch.randint(model.config.vocab_size, (BATCH, length), generator=generator)
        weights = torch.rand(BATCH, ADAPTERS, generator=generator)
        self.weights = weights / weights.sum(1, keepdim=True)
        self.bank = AdapterBank(model, LORA, width=ADAPTERS).eval()
        states = [
            {key: 0.02 * torch.randn(shape, generator=generator) for key, shape in self.bank.shapes.items()}
            for _ in range(ADAPTERS)
        ]
        for k, state in enumerate(states):
            self.bank.load(k, state)
        self.theirs = under_peft(model, states[0])

    def check(self) -> float:
        """The largest difference between PEFT and one-hot weights; SystemExit where it is one."""
        one_hot = torch.eye(ADAPTERS)[torch.zeros(BATCH, dtype=torch.long)]
        expected, plain = hidden(self.theirs, self.ids), hidden(self.model, self.ids)
        worst = 0.0
        for form in ("ND", "D"):
            worst = max(worst, float((self.mixed(Mixed(one_hot, form)) - expected).abs().max()))
        if worst > 1e-3 or float((plain - expected).abs().max()) < 100 * worst:
            raise SystemExit(f"one-hot weights differ from PEFT by {worst}")
        return worst

    def mixed(self, routing: Routing) -> Tensor:
        with self.bank.use(routing):
            return hidden(self.model, self.ids)

    def passes(self) -> None:
        for k in range(ADAPTERS):
            self.mixed(Routed(k))

    @property
    def forms(self) -> dict[str, Callable[[], object]]:
        return {
            "peft": lambda: hidden(self.theirs, self.ids),
            "base": lambda: hidden(self.model, self.ids),
            "ND": lambda: self.mixed(Mixed(self.weights, "ND")),
            "D": lambda: self.mixed(Mixed(self.weights, "D")),
            "passes": self.passes,
        }

    def times(self, repeats: int) -> list[dict[str, float]]:
        """Seconds of each, in every repeat."""
        found: list[dict[str, float]] = []
        for name in NAMES[:-1]:
            self.forms[name]()  # warm up
        for repeat in range(repeats):
            taken = {name: seconds(self.forms[name]) for name in NAMES[:: -1 if repeat % 2 else 1]}
            found.append({name: taken[name] for name in NAMES})
            print({name: round(value, 3) for name, value in found[-1].items()}, flush=True)
        return found

    def memory(self) -> dict[str, int]:
        sizes = {"base": size(self.model), "bank": size(self.bank), "one_adapter": size(self.bank) // ADAPTERS}
        return sizes | {f"peak_of_{name}": peak(self.forms[name]) for name in ("peft", "base", "ND", "D")}


@torch.inference_mode()
def hidden(model: Any, ids: Tensor) -> Tensor:
    return hidden_states(model, ids)


def under_peft(model: Any, state: State) -> Any:
    """A copy of the model with the adapter in it, as the peft package puts it there."""
    config = peft.LoraConfig(r=LORA.rank, lora_alpha=int(LORA.alpha), target_modules=list(LORA.targets))
    theirs: Any = peft.get_peft_model(copy.deepcopy(model), config).eval()
    weights = {f"base_model.model.{key[:-2]}.lora_{key[-1]}.weight": tensor for key, tensor in state.items()}
    loaded: Any = peft.set_peft_model_state_dict(theirs, weights)
    if wrong := loaded.unexpected_keys:
        raise SystemExit(f"PEFT does not know {wrong[0]}")
    return theirs.base_model.model


def seconds(run: Callable[[], object]) -> float:
    began = perf_counter()
    run()
    return perf_counter() - began


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def peak(run: Callable[[], object]) -> int:
    """The most bytes that torch holds at a time of those it allocates while this runs."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run()
    with tempfile.NamedTemporaryFile(suffix=".json") as trace:
        watched.export_chrome_trace(trace.name)
        events = [
            each for each in json.loads(Path(trace.name).read_text())["traceEvents"] if each["name"] == "[memory]"
        ]
    bytes_: list[int] = [each["args"]["Bytes"] for each in sorted(events, key=lambda each: each["ts"])]
    return max(accumulate(bytes_))


def ratios(times: list[dict[str, float]], goal: float) -> dict[str, Any]:
    """Medians over the repeats, beside the goals."""

    def over(one: Callable[[dict[str, float]], float], other: str) -> float:
        return median(one(each) / each[other] for each in times)

    found = {
        "ND_over_peft": over(lambda each: each["ND"], "peft"),
        "D_over_peft": over(lambda each: each["D"], "peft"),
        "peft_over_base": over(lambda each: each["peft"], "base"),
        "ND_and_vectors_over_peft": over(lambda each: each["ND"] + each["base"], "peft"),
        "passes_over_ND": over(lambda each: each["passes"], "ND"),
        "passes_over_D": over(lambda each: each["passes"], "D"),
        "passes_over_ND_and_vectors": median(each["passes"] / (each["ND"] + each["base"]) for each in times),
    }
    reached = max(found["ND_over_peft"], found["D_over_peft"]) <= goal
    return found | {
        "goal": goal,
        "passes_goal": PASSES_GOAL,
        "reached": reached and found["passes_over_ND"] >= PASSES_GOAL,
    }


def embedded() -> Any:
    """The embedded base model of the generated world."""
    config = load(overrides={"data.world": WorldConfig().model_dump()})
    return load_base(base_name(load_dataset(config.data, config.seed), config)).model


def main(
    layers: Annotated[int, typer.Option(help="Layers of the wide model.")] = 2,
    length: Annotated[int, typer.Option(help="Tokens in a sequence.")] = 128,
    repeats: int = 7,
) -> None:
    """Measure both models."""
    torch.set_num_threads(1)
    result: dict[str, Any] = {}
    models = {"width 1024": lambda: new_llama(4000, 1024, layers, 512, 0), "embedded": embedded}
    for name, make in models.items():
        bench = Bench(make(), length)
        difference, memory = bench.check(), bench.memory()
        times = bench.times(repeats)
        result[name] = {
            **ratios(times, GOALS[name]),
            "memory": memory,
            "differs_from_peft": difference,
            "seconds": times,
        }
        print(name, {key: value for key, value in result[name].items() if key != "seconds"}, flush=True)
    settings = {"adapters": ADAPTERS, "lora": LORA.model_dump(), "batch": BATCH, "length": length, "layers": layers}
    write_result("mixed_inference", {"threads": 1, **settings, "models": result})
    if not all(model["reached"] for model in result.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
