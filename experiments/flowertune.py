"""A plain federated fine-tuning app in FlowerTune's manner, for ours to be measured against.

As in Flower's FlowerTune examples each message loads the base model from disk, wraps it with PEFT, sets the received
adapter, trains, and returns the adapter's weights; the server is Flower's own FedAvg, which measures the model after
each round. The loss is the causal language model's cross-entropy over the whole vocabulary, on the answers alone, as
TALLRec trains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from fedrec import hardware
from fedrec.config import PromptConfig
from fedrec.data.dataset import HISTORY, TRAIN
from fedrec.data.prompts import PromptEncoder, Window
from fedrec.models.peft_folder import CONFIG, WEIGHTS
from fedrec.training.batches import bucketed
from fedrec.training.loop import learning_rate
from server.simulated_run import SimulatedRun


@dataclass(frozen=True)
class Plan:
    """How rows become steps.

    Attributes:
        prompt: how rows become sequences.
        micro: sequences in a micro-batch; the gradients of a step's micro-batches add up.
        steps: of each client, in a pass over its rows.
    """

    prompt: PromptConfig
    micro: int
    steps: Sequence[int]


def client_app(run: SimulatedRun, plan: Plan) -> ClientApp:
    """The ClientApp over a prepared run's clients."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        number = int(message.content["config"]["server-round"])
        client = int(context.node_config["partition-id"])
        model, tokenizer = load(run)
        set_peft_model_state_dict(model, message.content["arrays"].to_torch_state_dict())
        loss, rows = fit(model, tokenizer, run, plan, client, number)
        metrics = MetricRecord({"train_loss": loss, "num-examples": rows})
        arrays = ArrayRecord(get_peft_model_state_dict(model))
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    return app


def serve(grid: Grid, run: SimulatedRun, out: Path, measure: Callable[[Path], float]) -> float:
    """All rounds by Flower's FedAvg, from the run's initial adapter.

    Args:
        out: each round's adapter goes here, as a PEFT folder.
        measure: the score of such a folder, taken after each round.

    Returns:
        The score after the last round.
    """
    clients, rounds, initial = len(run.clients), run.config.federation.rounds, run.folder / "initial"
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=clients, min_available_nodes=clients)

    def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord | None:
        if number == 0:
            return None
        folder = out / f"round-{number}"
        folder.mkdir(parents=True)
        save_file(arrays.to_torch_state_dict(), folder / WEIGHTS, {"format": "pt"})
        (folder / CONFIG).write_text((initial / CONFIG).read_text("utf-8"), "utf-8")
        return MetricRecord({"score": measure(folder)})

    start = ArrayRecord(load_file(initial / WEIGHTS))
    result = strategy.start(grid, start, num_rounds=rounds, evaluate_fn=evaluate)
    return float(result.evaluate_metrics_serverapp[rounds]["score"])


def load(run: SimulatedRun) -> tuple[Any, Any]:
    """The base from disk with a new LoRA adapter around it, and its tokenizer."""
    config = run.config
    base = AutoModelForCausalLM.from_pretrained(config.base, dtype=torch.float32, trust_remote_code=False).to(
        config.train.device
    )
    lora = LoraConfig(
        r=config.lora.rank, lora_alpha=config.lora.alpha, lora_dropout=config.lora.dropout,
        target_modules=config.lora.targets, task_type="CAUSAL_LM",
    )  # fmt: skip
    return get_peft_model(base, lora), AutoTokenizer.from_pretrained(config.base, trust_remote_code=False)


def fit(model: Any, tokenizer: Any, run: SimulatedRun, plan: Plan, client: int, number: int) -> tuple[float, int]:
    """Train on a client's rows in round `number` (from 1); the mean loss, and the rows of a pass."""
    config = run.config.train
    hardware.use_threads(config)
    encoder = PromptEncoder(tokenizer, run.catalogue.titles, plan.prompt, model.config.max_position_embeddings)
    rows = run.rows_of(run.clients[client])
    rows = rows.take(np.isin(rows.split, (TRAIN, HISTORY)))
    windows = encoder.windows(rows, rows.split == TRAIN)
    steps = plan.steps[client] * config.epochs
    random = np.random.default_rng((run.config.seed, client, number))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
    model.train()
    losses = []
    for step, micro_batches in enumerate(schedule(windows, plan.micro, steps, config.epochs, random)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, step, steps, number - 1, run.config.federation.rounds)
        answers = sum(len(window.at) for batch in micro_batches for window in batch)
        for batch in micro_batches:
            tensors = collate(batch, rows.label, encoder.template.answers, torch.device(config.device))
            with hardware.autocast(torch.device(config.device), config.precision):
                loss = model(**tensors).loss * sum(len(window.at) for window in batch) / answers
            loss.backward()
            losses.append(loss.item() / len(micro_batches))
        torch.nn.utils.clip_grad_norm_(parameters, config.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return float(np.mean(losses)), int((rows.split == TRAIN).sum())


def schedule(
    windows: Sequence[Window], micro: int, steps: int, epochs: int, random: np.random.Generator
) -> list[list[list[Window]]]:
    """The micro-batches of each of `steps` steps, over `epochs` passes."""
    lengths = [len(window.ids) for window in windows]
    found = []
    for _ in range(epochs):
        batches = [[windows[i] for i in batch] for batch in bucketed(lengths, micro, random)]
        bounds = np.linspace(0, len(batches), steps // epochs + 1).round().astype(int)
        found += [batches[low:high] for low, high in pairwise(bounds)]
    return found


def collate(
    batch: Sequence[Window], labels: NDArray[np.int8], answers: tuple[int, int], device: torch.device
) -> dict[str, torch.Tensor]:
    """Padded input_ids (b, t), their attention_mask, and labels that are -100 but at the answers."""
    width = 1 + max(len(window.ids) for window in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    mask, wanted = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, window in enumerate(batch):
        told = torch.tensor([answers[label] for label in labels[window.rows]])
        ids[row, : len(window.ids)] = torch.from_numpy(window.ids)
        ids[row, len(window.ids)] = told[-1]
        mask[row, : len(window.ids) + 1] = 1
        wanted[row, window.at + 1] = told
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": wanted.to(device)}
