"""What of a run's preparation needs nobody's rows: base model, catalogue, first adapter; alike wherever clients are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fedrec import hardware
from fedrec.base_models.named import with_base, with_items_of
from fedrec.base_models.recorded import record_base
from fedrec.config import PinnedConfig, RunConfig, parse
from fedrec.data.dataset import Catalogue, Dataset
from fedrec.files import write_json
from fedrec.models.adapter import initial_state, state_hash
from fedrec.models.base import Base
from fedrec.models.item_tokens import item_tokens
from fedrec.models.peft_folder import load_peft, save_peft
from fedrec.models.split import SplitPlan, check_split
from fedrec.pinned import base_pin, with_pins
from fedrec.preparation import checked_base
from fedrec.protocol.facts import digest
from fedrec.text import amount
from server.run import Run

AnyRun = TypeVar("AnyRun", bound=Run)


def with_base_of(runs: Sequence[AnyRun], dataset: Dataset) -> tuple[list[AnyRun], Base]:
    """A run and its baselines with what their base model decided, and that, with item tokens.

    Raises:
        FedrecError: the base cannot be had, or is none for this catalogue or these settings.
    """
    config = runs[0].config
    named, base = checked_base(config, dataset)
    if config.split.head:
        check_split(base.model, SplitPlan(config.split.head, config.split.tail))
    found = [settled(run, with_base(run.config, named, base)) for run in runs]
    hardware.use_threads(found[0].config.train)
    return found, with_items_of(base, config, dataset.catalogue)


def settled(run: AnyRun, config: RunConfig) -> AnyRun:
    """The run with what its base model and its data decided."""
    if config == run.config:
        return run
    write_json(run.folder / "config.json", config.model_dump(mode="json"))
    return type(run)(run.folder)


def write_public(runs: Sequence[AnyRun], base: Base, catalogue: Catalogue) -> list[AnyRun]:
    """The catalogue, the first adapter and the record of the base, in the run's folder; pinned in it and its baselines.

    Raises:
        FedrecError: they were to be over something else.
    """
    run = runs[0]
    config = run.config
    write_json(run.folder / "catalogue.json", catalogue.content())
    tokens = item_tokens(base.model) if config.items.share == "all" else None  # else their rows never leave clients
    save_peft(
        run.folder / "initial",
        initial_state(base.model, config.lora, config.seed),
        config.lora,
        base.source,
        tokens,
    )
    pins = PinnedConfig(
        catalogue=digest(catalogue.content()),
        base=base_pin(record_base(run.folder, base)),
        initial=state_hash(load_peft(run.folder / "initial")[0]),
    )
    return [settled(each, with_pins(each.config, pins)) for each in runs]


def too_large_for(config: RunConfig, people: int, context: int) -> list[str]:
    """What is set higher than the data or the model have use for."""
    found = []
    if config.shards > people:
        found.append(
            f"--shards {config.shards} with {amount(people, 'person', 'people')} leaves shards with nobody: use fewer"
        )
    if config.prompt.window > context:
        found.append(f"prompt.window {config.prompt.window} is cut to the model's context, {context} tokens")
    return found


def with_clients(config: RunConfig, count: int) -> RunConfig:
    """The configuration with as many clients as there are: a column of the data, or homes, may name any number.

    Raises:
        UsageError: too many.
    """
    clients = {**config.clients.model_dump(), "count": count}
    return config if config.clients.count == count else parse({**config.model_dump(), "clients": clients})
