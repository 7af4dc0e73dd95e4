"""Rows a second of federated training: a plain FlowerTune-style app, fedrec, and a loop without federation.

    prompts      FlowerTune-style, a prompt of ten titles for each row, as TALLRec trains   (a)
    timelines    FlowerTune-style on the very windows that fedrec trains on                 (a')
    fedrec       `fedrec simulate --workers 0`, strategy fedavg                             (b)
    loop         bare PyTorch: the same windows, batches and steps, one adapter             (c)

The same base, rows, steps, threads, precision and seeds; the apps run behind the same Grid in this process, so neither
Ray nor a network is measured. Each is run several times, in alternating order; a ratio is the median of the ratios
within a repetition. "training" is the time within the training messages (of the loop: its steps). "rounds" is
everything after start-up, with all test rows measured after each round.

    python -m experiments.rounds_per_second
"""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from flwr.app import Context, Message

from clients.app import app as fedrec_app
from experiments import flowertune
from experiments.common import portable, result_file, run_command, write_result
from fedrec import hardware
from fedrec.config import PromptConfig, load
from fedrec.data.dataset import HISTORY, TEST, TRAIN
from fedrec.metrics import auc
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.base import load_base
from fedrec.models.body import hidden_states
from fedrec.models.head import answer_logits
from fedrec.models.padding import answer_positions, pad
from fedrec.models.peft_folder import load_peft
from fedrec.protocol.questions import Train
from fedrec.scoring import score_windows
from fedrec.tasks.like import LikeEncoder
from fedrec.training.batches import batches
from fedrec.training.lesson import Lesson
from fedrec.training.loop import learning_rate
from server.prepare import prepare
from server.simulated_run import SimulatedRun
from server.training import run_rounds
from server.transports.in_process import LocalGrid

VARIANTS = ("prompts", "timelines", "fedrec", "loop")
HISTORY_TITLES, MICRO = 10, 16  # TALLRec's history; FlowerTune's batch


@dataclass(frozen=True)
class Measured:
    """Seconds of training and of all rounds, and the AUC reached over all test rows pooled."""

    training: float
    rounds: float
    auc: float


class Timed:
    """A ClientApp and the seconds it took, by type of message."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seconds: dict[str, float] = defaultdict(float)

    def __call__(self, message: Message, context: Context) -> Message:
        began = perf_counter()
        reply: Message = self.app(message, context)
        self.seconds[message.metadata.message_type] += perf_counter() - began
        return reply


class Setting:
    """One prepared run, which every variant starts from."""

    def __init__(self, run: SimulatedRun) -> None:
        self.run, self.config = run, run.config
        train = self.config.train
        self.base = load_base(str(self.config.base), device=train.device, precision=train.precision)
        self.encoder = self.encoder_for(self.config.prompt)
        self.tasks = [self._task(number, name) for number in range(1, self.rounds + 1) for name in run.clients]
        self.rows = sum(len(window.rows) for task in self.tasks for window in task.windows) * train.epochs
        self.steps = [math.ceil(len(task.windows) / train.batch) for task in self.tasks]

    @property
    def rounds(self) -> int:
        return self.config.federation.rounds

    def encoder_for(self, prompt: PromptConfig) -> LikeEncoder:
        return LikeEncoder(self.base.tokenizer, self.run.catalogue.titles, prompt, self.base.context)

    def _task(self, number: int, name: str) -> Lesson:
        rows = self.run.rows_of(name)
        rows = rows.take(np.isin(rows.split, (TRAIN, HISTORY)))
        windows = self.encoder.windows(rows, rows.split == TRAIN)
        key = (self.config.seed, name, 0, number)
        return Lesson(windows, rows.label, rows.user, self.encoder.readout, key, number - 1, self.rounds)

    def evaluate(self, bank: AdapterBank, routing: Any, prompt: PromptConfig) -> float:
        """AUC over all clients' test rows pooled, read through prompts of this kind."""
        encoder, found, labels = self.encoder_for(prompt), [], []
        for name in self.run.clients:
            rows = self.run.rows_of(name)
            wanted = rows.split == TEST
            scores = score_windows(
                self.base.model, encoder.windows(rows, wanted), encoder.readout, len(rows),
                bank=bank, routing=routing, precision=self.config.train.precision,
            )  # fmt: skip
            found.append(scores[wanted])
            labels.append(rows.label[wanted])
        return auc(np.concatenate(found), np.concatenate(labels))


def fedrec(setting: Setting, folder: Path) -> Measured:
    shutil.copytree(setting.run.folder, folder)
    run, app, marks = SimulatedRun(folder), Timed(fedrec_app), []
    run_rounds(LocalGrid(app, run.nodes()), run, lambda entry: marks.append(perf_counter()))  # type: ignore[arg-type]
    return Measured(app.seconds[Train.kind], marks[-1] - marks[0], run.rounds.history()[-1].overall["auc"])


def plain(prompt: PromptConfig, micro: int) -> Callable[[Setting, Path], Measured]:
    def run_it(setting: Setting, folder: Path) -> Measured:
        def measure(adapter: Path) -> float:
            with AdapterBank(setting.base.model, setting.config.lora) as bank:
                bank.load(0, load_peft(adapter)[0])
                bank.eval()
                return setting.evaluate(bank, Routed(0), prompt)

        app = Timed(flowertune.client_app(setting.run, flowertune.Plan(prompt, micro, setting.steps)))
        grid = LocalGrid(app, setting.run.nodes())  # type: ignore[arg-type]
        began = perf_counter()
        reached = flowertune.serve(grid, setting.run, folder, measure)
        return Measured(app.seconds["train"], perf_counter() - began, reached)

    return run_it


def loop(setting: Setting, folder: Path) -> Measured:
    """One adapter over the clients' batches, a round after the other."""
    config, model = setting.config.train, setting.base.model
    device = torch.device(config.device)
    state, _ = load_peft(setting.run.folder / "initial")
    training, began, reached = 0.0, perf_counter(), 0.0
    with AdapterBank(model, setting.config.lora) as bank:
        bank.load(0, state)
        parameters = list(bank.parameters())
        optimiser = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
        for number in range(setting.rounds):
            bank.train()
            start = perf_counter()
            for task in (task for task in setting.tasks if task.round == number):
                steps = math.ceil(len(task.windows) / config.batch) * config.epochs
                for step, batch in enumerate(batches(task, config)):
                    optimiser.param_groups[0]["lr"] = learning_rate(config, step, steps, number, setting.rounds)
                    with bank.use(Routed(0)), hardware.autocast(device, config.precision):
                        hidden = hidden_states(model, pad(batch, device))
                    logits = answer_logits(model, hidden[answer_positions(batch, device)], task.readout.tokens)
                    labels = torch.from_numpy(task.labels[np.concatenate([window.rows for window in batch])])
                    torch.nn.functional.cross_entropy(logits, labels.long().to(device)).backward()
                    torch.nn.utils.clip_grad_norm_(parameters, config.clip)
                    optimiser.step()
                    optimiser.zero_grad(set_to_none=True)
            training += perf_counter() - start
            bank.eval()
            reached = setting.evaluate(bank, Routed(0), setting.config.prompt)
    return Measured(training, perf_counter() - began, reached)


def compare(setting: Setting, repeats: int, folder: Path) -> dict[str, list[Measured]]:
    """Every variant `repeats` times, in alternating order."""
    prompts = setting.config.prompt.model_copy(update={"history": HISTORY_TITLES})
    runners = {
        "prompts": plain(prompts, MICRO),
        "timelines": plain(setting.config.prompt, setting.config.train.batch),
        "fedrec": fedrec,
        "loop": loop,
    }
    measured: dict[str, list[Measured]] = {name: [] for name in VARIANTS}
    for repeat in range(repeats):
        for name in VARIANTS[:: -1 if repeat % 2 else 1]:
            measured[name].append(runners[name](setting, folder / f"{name}-{repeat}"))
            print(f"{repeat + 1}/{repeats} {name}: {measured[name][-1]}", flush=True)
    return measured


def summary(setting: Setting, measured: dict[str, list[Measured]]) -> dict[str, Any]:
    def ratios(over: str, part: str) -> dict[str, float]:
        """How many times faster fedrec is."""
        pairs = zip(measured[over], measured["fedrec"], strict=True)
        found = [getattr(other, part) / getattr(ours, part) for other, ours in pairs]
        return {"median": median(found), "lowest": min(found), "highest": max(found)}

    return {
        "rows": setting.rows,
        "steps": sum(setting.steps) * setting.config.train.epochs,
        "variants": {
            name: {
                "auc": runs[-1].auc,
                **{f"{part}_seconds": [getattr(run, part) for run in runs] for part in ("training", "rounds")},
                **{
                    f"rows_per_second_{part}": setting.rows / median(getattr(run, part) for run in runs)
                    for part in ("training", "rounds")
                },
            }
            for name, runs in measured.items()
        },
        "fedrec_times_faster_than": {
            name: {part: ratios(name, part) for part in ("training", "rounds")} for name in VARIANTS if name != "fedrec"
        },
        "config": portable(setting.config),
    }


def draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    names = {
        "prompts": "FlowerTune-style,\none prompt a row", "timelines": "FlowerTune-style,\non timelines",
        "fedrec": "fedrec", "loop": "bare loop,\nno federation",
    }  # fmt: skip
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.add_subplot()
    shown = [result["variants"][name] for name in VARIANTS]
    speeds = [variant["rows_per_second_training"] for variant in shown]
    bars = axes.barh([names[name] for name in VARIANTS], speeds, color=["#9aa5b1", "#9aa5b1", "#2f6fde", "#9aa5b1"])
    labels = [f" {speed:.0f}  (AUC {variant['auc']:.3f})" for speed, variant in zip(speeds, shown, strict=True)]
    axes.bar_label(bars, labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.35 * max(speeds))
    axes.set_xlabel("rows a second of training")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def main(
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set; none = the generated world.")] = None,
    clients: int = 4,
    rounds: int = 2,
    repeats: Annotated[int, typer.Option(help="Times each variant is run.")] = 3,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value of the configuration.")] = None,
) -> None:
    """Measure all variants."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    named = {"base": base, "data.path": data, "clients.count": clients, "federation.rounds": rounds}
    overrides = {"strategy": "fedavg"} | {key: value for key, value in named.items() if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(prepare(load(None, overrides, tuple(set_ or ())), Path(folder) / "prepared"))
        result = summary(setting, compare(setting, repeats, Path(folder)))
    write_result("rounds_per_second", result)
    draw(result, result_file("rounds_per_second.svg"))
    for name, parts in result["fedrec_times_faster_than"].items():
        print(f"fedrec / {name}: training {parts['training']['median']:.2f}, rounds {parts['rounds']['median']:.2f}")


if __name__ == "__main__":
    run_command(main)
