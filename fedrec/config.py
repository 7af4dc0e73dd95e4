"""One typed run configuration, read from TOML and `--set section.key=value`; every mistake is reported at once."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from fedrec import masked_settings
from fedrec.data_settings import ClientsConfig, DataConfig
from fedrec.errors import UsageError
from fedrec.privacy_settings import PrivacyConfig, check, completed
from fedrec.registry import STEPS, STRATEGIES, TASKS
from fedrec.settings import AnySection, Section, validated
from fedrec.text import read_text

StrategyName = Annotated[str, STRATEGIES]
ErrorReading = Literal["probability", "absolute", "squared", "logloss"]
Sharing = Literal["metrics", "histogram", "scores"]
"""How much a client tells of its test rows' scores, the least first."""
Fraction = Annotated[float, Field(gt=0, le=1)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PromptConfig(Section):
    """How a timeline becomes tokens."""

    window: int = Field(768, ge=32, description="tokens in a window, at most the model's context")
    past: float = Field(0.5, ge=0, le=0.9, description="part of a later window kept for what came before")
    title_tokens: int = Field(24, ge=4, description="longer titles are cut")
    instruction: str = Field(
        "What one person chose, in order, and whether they liked each.",
        min_length=1,
        max_length=500,
        description="begins a window of a model without marks of its own: every model but the embedded one",
    )
    history: int | None = Field(None, ge=0, description="titles of history a row may see; none = what the window holds")


class LoraConfig(Section):
    """The adapters: LoRA of the given rank, added to every targeted linear layer scaled by alpha / rank."""

    rank: int = Field(16, ge=1, description="rank r of B A")
    alpha: float = Field(32.0, gt=0, description="the adapter counts alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="part of the adapter's inputs dropped in training")
    targets: str | tuple[str, ...] = Field("all-linear", description="'all-linear', or names such as q_proj, v_proj")


class ItemTokensConfig(Section):
    """A token of its own for every item: its frozen row is made of the title, and adapters add a learnt one."""

    rank: int = Field(4, ge=0, description="rank of the learnt rows; 0 = items have no tokens")
    share: Literal["all", "none"] = Field(
        "all", description="none = item rows never leave a client; those that moved say which items its people met"
    )
    average: Literal["answers", "all"] = Field(
        "answers",
        description="answers = an item's rows count by how many answers each client learnt it from, which it tells; "
        "the first of several rounds is of them alone. all = alike",
    )


class TrainConfig(Section):
    """Local training."""

    step: Annotated[str, STEPS] = Field("plain", description="what a batch is, and what it does to the adapter")
    lr: float = Field(5e-4, gt=0, description="peak learning rate of AdamW")
    item_lr: float = Field(
        0.1, ge=0, description="peak rate of item rows, by gradient of the sum of losses; 0 = they stay as they begin"
    )
    item_prior: float = Field(
        1.0, gt=0, description="item rows are N(0, 1 / item_prior) before anybody has met the item"
    )
    epochs: int = Field(1, ge=1, description="passes over the client's rows in a round")
    stop: Literal["validation", "never"] = Field(
        "validation",
        description="validation = keep the adapter on the way, none of the training included, that answers the "
        "validation rows of the same people best; never = the last one",
    )
    batch: int = Field(2, ge=1, description="windows in a batch")
    clip: float = Field(1.0, gt=0, description="longest gradient, by its norm")
    weight_decay: float = Field(0.0, ge=0, description="of AdamW")
    warmup: int = Field(20, ge=0, description="steps of linear warm-up, in the first round only")
    schedule: Literal["constant", "linear", "cosine"] = Field("cosine", description="of the rate over all rounds")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto = bf16 where the hardware has it; fp32 for a small base on a CPU"
    )
    device: str = Field("auto", description="cpu, cuda, cuda:1; auto = cuda where there is one")
    threads: int = Field(0, ge=0, description="0 = by the base's size: 1 for a small one, else all cores")
    checkpoint_seconds: float = Field(30.0, ge=0, description="time between checkpoints within a round")


class SplitConfig(Section):
    """Layers that the server computes when a client trains: those between its first blocks and its last ones."""

    head: int = Field(0, ge=0, description="a client's first blocks; 0 = it has them all")
    tail: int = Field(1, ge=1, description="a client's last blocks, before the LM head")
    over: Literal["process", "grpc"] = Field(
        "process",
        description="process = the middle is computed where the client is; grpc = by the server's layer service",
    )
    wire: Literal["fp32", "bf16", "fp16", "int8"] = Field(
        "fp32", description="how states and their gradients travel; fp16 and int8 with a scale for each token"
    )
    batch: int = Field(
        1,
        ge=1,
        description="clients whose middle the layer service computes in one pass; 1 = each by itself, as in every "
        "erasure, so that training again without somebody gives the same to the bit",
    )
    window: float = Field(0.02, ge=0, le=10, description="seconds that a client waits there for others, if more than 1")


class FederationConfig(Section):
    """Rounds, participation and what a reply must look like."""

    rounds: int = Field(4, ge=0, description="federated rounds")
    fraction: Fraction = Field(1.0, description="part of the clients asked in a round")
    min_replies: int = Field(0, ge=0, description="a round counts with this many good replies; 0 = all that were asked")
    oversample: int = Field(0, ge=0, description="clients asked beyond the fraction; the first replies count")
    deadline: float = Field(3600.0, gt=0, description="seconds a round waits")
    max_abs: float = Field(100.0, gt=0, description="a reply with a larger weight is dropped")
    max_update_ratio: float = Field(20.0, gt=1, description="an update longer than this times the median is dropped")
    secure_aggregation: bool = Field(
        False,
        description="clients' updates are summed under masks, so that the server sees none of them (SecAgg+); for "
        "fedavg and fedprox, docs/privacy.md says what is lost",
    )
    rows: Literal["mean", "bounded"] = Field(
        "mean",
        description="bounded = in the mean of item rows nobody's are longer, or learnt from a larger part of their "
        "answers, than 1.5 times the median client's longest and largest",
    )


class EvaluateConfig(Section):
    """When and on whom the rounds are measured."""

    users: int = Field(5_000, ge=0, description="people, drawn by a keyed hash, whose test rows are scored; 0 = all")
    every: int = Field(1, ge=1, description="rounds from one measurement to the next; first and last are measured")
    last: Literal["sample", "everybody"] = Field("sample", description="whose test rows the last round is measured on")
    at_split: Literal["last", "always", "never"] = Field(
        "last", description="measurements that rank each person's test rows from the history before them as well"
    )
    sharing: Sharing = Field(
        "scores", description="asked of clients for the AUC over all: scores of rows, their histogram, or metrics only"
    )


class AggregationConfig(Section):
    """How the answers of the shards' adapters are weighted.

    The paper does not state the error (algorithms.md 2.4), so four readings are offered, for a label y and the
    probability p of a like: `probability` 1 - P(y), `absolute` |y - p|, `squared` (y - p)^2, `logloss` -log P(y).
    Published are tau 1000 and 20 or 100 neighbours, nearly the one best adapter of each row: in made-up worlds of four
    shards that lost 0.004 to 0.036 AUC to the mean of the shards, and the defaults here nothing.
    """

    error: ErrorReading = Field("squared", description="error of an adapter on a validation row")
    tau: float = Field(10.0, ge=0, allow_inf_nan=False, description="sharpness of the weights; 0 = equal")
    neighbours: int = Field(100, ge=1, description="validation rows that judge the adapters for one row")
    scale: float = Field(1.0, gt=0, allow_inf_nan=False, description="sum of the weights of mixed adapters")
    validation: float = Field(1.0, gt=0, le=1, description="part of the users, by a keyed hash, who judge the adapters")
    temperature: float = Field(0.03, gt=0, description="of the softmax over the cosines to the shards' centres")


class PinnedConfig(Section):
    """What the run was prepared over, by SHA-256: its preparation writes it down, and nothing else is taken later."""

    catalogue: Hash | None = Field(None, description="of the items' ids and titles")
    base: Hash | None = Field(None, description="of the base model's files")
    initial: Hash | None = Field(None, description="of the adapter that all begin with")


class RunConfig(Section):
    """Everything a run depends on. What `parse` gives has a section for each strategy with settings too."""

    strategy: StrategyName = Field("pplr", description="how the clients' adapters become the next ones")
    baselines: tuple[StrategyName, ...] = Field((), description="strategies run beside it, over the same data")
    task: Annotated[str, TASKS] = Field("like", description="what is asked of the model about a row")
    shards: int = Field(1, ge=1, le=256, description="federations beside each other; a person is in one")
    seed: int = Field(42, ge=0, description="of everything random")
    base: str | None = Field(None, description="Hugging Face id or folder; none = the embedded small Llama")
    data: DataConfig = DataConfig()
    clients: ClientsConfig = ClientsConfig()
    prompt: PromptConfig = PromptConfig()
    lora: LoraConfig = LoraConfig()
    items: ItemTokensConfig = ItemTokensConfig()
    train: TrainConfig = TrainConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    split: SplitConfig = SplitConfig()
    federation: FederationConfig = FederationConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    aggregator: Literal["apa-nd", "apa-d", "average-nd", "average-d"] = Field(
        "apa-nd", description="how a client mixes its shards' adapters; apa weighs them by its own validation rows"
    )
    aggregation: AggregationConfig = AggregationConfig()
    pinned: PinnedConfig = PinnedConfig()

    def section(self, name: str, kind: type[AnySection]) -> AnySection:
        """The section of a name and a kind: as it was set, or as it is by default."""
        found = getattr(self, name, None)
        return found if isinstance(found, kind) else kind()

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, tree: Any) -> Any:
        return masked_settings.completed(completed(tree, cls.model_fields)) if isinstance(tree, dict) else tree

    @model_validator(mode="after")
    def _private(self) -> RunConfig:
        check(self)
        masked_settings.check(self)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        names = (self.strategy, *self.baselines)
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"strategy {twice[0]} is named twice")
        if self.split.head and self.train.step != "plain":
            raise ValueError(f"split.head = {self.split.head}: train.step = {self.train.step} has no split; use plain")
        if not STRATEGIES.load(self.strategy).pools:
            return self
        if self.baselines:
            others = ",".join((*self.baselines, self.strategy))
            why = f"{self.strategy} has no clients for other strategies to train with"
            raise ValueError(f"{why}: name it last, {others}")
        if self.federation.fraction < 1:
            raise ValueError(f"federation.fraction must be 1 with strategy {self.strategy}: there is one client")
        return self


def run_section() -> type[RunConfig]:
    """The whole configuration: what every run has, and a section for each strategy that has settings."""
    kinds = {name: STRATEGIES.load(name) for name in STRATEGIES}
    return _with_sections(tuple((name, kind) for name, kind in kinds.items() if kind.model_fields))


@lru_cache
def _with_sections(sections: tuple[tuple[str, type[Section]], ...]) -> type[RunConfig]:
    added: dict[str, Any] = {name: (kind, kind()) for name, kind in sections}
    return create_model("RunConfig", __base__=RunConfig, **added)


def load(path: Path | None = None, overrides: dict[str, Any] | None = None, sets: tuple[str, ...] = ()) -> RunConfig:
    """The configuration from a TOML file, then `overrides` (dotted key → value), then `key=value` settings.

    Raises:
        UsageError: names every wrong key and value at once.
    """
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            tree = tomllib.loads(read_text(path))
        except FileNotFoundError:
            raise UsageError(f"--config {path}: no such file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise UsageError(f"--config {path}: {error}") from None
    for key, value in (overrides or {}).items():
        _put(tree, key, value)
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write it as section.key=value, for example --set train.lr=5e-4")
        _put(tree, key.strip(), _value(value.strip()))
    return parse(tree)


def parse(tree: dict[str, Any]) -> RunConfig:
    """A configuration from plain data, or one UsageError that lists every mistake."""
    return validated(run_section(), tree)


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise UsageError(f"{key}: {part} is a value, not a section")
        tree = child
    tree[last] = value


def _value(text: str) -> Any:
    """A TOML value, or the text itself where it is no TOML (so strings need no quotes)."""
    if text == "none":
        return None
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
