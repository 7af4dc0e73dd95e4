"""Tasks: what is asked of a model about the rows of a timeline, and how its answers are learnt, scored and measured."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fedrec.registry import TASKS

if TYPE_CHECKING:
    from fedrec.config import PromptConfig, RunConfig
    from fedrec.data.dataset import Catalogue
    from fedrec.models.base import Base
    from fedrec.tasks.task import Encoder, Task


def task_of(config: RunConfig) -> Task:
    """The task of a run."""
    return TASKS.load(config.task)()


def encoder_of(config: RunConfig, catalogue: Catalogue, base: Base) -> Encoder:
    """How a run's timelines become tokens of its base model."""
    from fedrec.models.item_tokens import item_tokens

    items = item_tokens(base.model)
    first = None if items is None else items.first
    return _encoder(config.task, base.tokenizer, catalogue.titles, config.prompt, base.context, first)


@lru_cache(maxsize=4)
def _encoder(
    task: str, tokenizer: Any, titles: tuple[str, ...], prompt: PromptConfig, context: int, first_item: int | None
) -> Encoder:
    """Made once a process: where titles are many, it takes longer than a client's rows."""
    encoder = TASKS.load(task)().encoder(tokenizer, titles, prompt, context)
    return encoder if first_item is None else encoder.with_items(first_item, prompt, context)
