"""What a run promises about single people, rows or clients, as it is configured: DP-SGD at each client (Abadi et al.
2016), or clients' updates that the server cuts and whose mean it noises (McMahan et al. 2018).

What cannot hold beside the promise is refused here, with the reason; what was left open is set so that it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from fedrec.registry import STRATEGIES
from fedrec.settings import Section

if TYPE_CHECKING:
    from fedrec.config import RunConfig

EVERY, WHOLE = "every client", "every client, all its shards together"
"""In place of a client's name where the server adds the noise: what was spent of each of them."""


class PrivacyConfig(Section):
    """Differential privacy of training, by clipped gradients and noise at each client (DP-SGD), or by clipped updates
    and noise at the server; docs/privacy.md says against whom."""

    unit: Literal["none", "row", "person", "client"] = Field(
        "none",
        description="whose part in an adapter is bounded: all rows of a person together, one answer with the past "
        "that it is asked with, or (at the server, which sees updates as they are) a client's update; person where "
        "only epsilon or noise is set",
    )
    epsilon: float | None = Field(
        None, gt=0, description="budget of a client's shard over all rounds; training stops before it would be passed"
    )
    delta: float = Field(1e-5, gt=0, lt=1, description="chance at which epsilon may not hold; below 1 / people")
    noise: float | None = Field(
        None, ge=0, description="noise multiplier, standard deviation by clip; none = as much as epsilon needs"
    )
    clip: float = Field(1.0, gt=0, description="longest gradient of a person or row, or update of a client")
    clip_quantile: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="of a client: part of the updates that the longest one follows, from clip on; none = it stays",
    )
    clip_rate: float = Field(0.2, gt=0, le=2, description="how fast it follows them, round by round")
    sample_rate: float = Field(
        0.1,
        gt=0,
        le=1,
        description="chance of each to be in a step; train.epochs / sample_rate steps a round. 1 for clients",
    )
    accountant: Literal["rdp", "prv"] = Field("rdp", description="of Opacus; prv is tighter and slower")
    retrainings: int = Field(0, ge=0, description="of a shard, that the budget is to last for beyond its training")
    at_once: int = Field(16, ge=1, description="people or rows whose gradients are in memory at once")

    @property
    def active(self) -> bool:
        return self.unit != "none"

    @property
    def at_clients(self) -> bool:
        """Whether clients train with noise."""
        return self.unit in ("row", "person")

    @property
    def at_server(self) -> bool:
        """Whether the server cuts clients' updates, and noises their mean."""
        return self.unit == "client"


def completed(tree: dict[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of a configuration, with what was left open as training under noise needs it.

    Args:
        sections: those that the configuration has.
    """
    privacy = tree.get("privacy")
    if not isinstance(privacy, dict):
        return tree
    if "unit" not in privacy and (privacy.get("epsilon") is not None or privacy.get("noise") is not None):
        privacy = {"unit": "person", **privacy}
    if privacy.get("unit") in (None, "none"):
        return tree
    if privacy["unit"] == "client":
        return _completed_for_clients({**tree, "privacy": {"sample_rate": 1.0, **privacy}})
    added: dict[str, dict[str, Any]] = {"train": {"stop": "never"}, "items": {"share": "none"}}
    added |= {name: dict(STRATEGIES.load(name).under_noise) for name in STRATEGIES if name in sections}
    if isinstance(items := tree.get("items"), dict) and items.get("share") == "all":
        added["items"]["average"] = "all"
    whole = {**tree, "privacy": privacy}
    for name, settings in added.items():
        if settings and isinstance(given := whole.get(name, {}), dict):
            whole[name] = settings | given
    return whole


def _completed_for_clients(tree: dict[str, Any]) -> dict[str, Any]:
    """The same where the server noises: what a client learns by itself is as ever."""
    items = tree.get("items", {})
    return {**tree, "items": {"share": "none", **items}} if isinstance(items, dict) else tree


def check(config: RunConfig) -> None:
    """
    Raises:
        ValueError: something beside the promise would break it.
    """
    privacy = config.privacy
    if not privacy.active:
        for name in ("epsilon", "noise"):
            if (value := getattr(privacy, name)) is not None:
                raise ValueError(
                    f"privacy.{name} = {value:g} with privacy.unit = none protects nobody: set row, person or client"
                )
        return
    if privacy.epsilon is None and privacy.noise is None:
        raise ValueError(
            f"privacy.unit = {privacy.unit} promises nothing by itself: set privacy.epsilon or privacy.noise"
        )
    if fault := _unprotected_clients(config) if privacy.at_server else _unprotected(config):
        raise ValueError(f"privacy.unit = {privacy.unit} cannot hold: {fault}")


def _unprotected_clients(config: RunConfig) -> str | None:
    """What of clients' updates would be told without noise, and the mend; None where nothing is."""
    for name in (config.strategy, *config.baselines):
        if fault := config.section(name, STRATEGIES.load(name)).beside_sum:
            return fault
    if config.items.rank and config.items.share == "all":
        return (
            "item rows and their counts say which titles a client's people met, and noise on every row of the "
            "catalogue drowns what few of them say; set items.share = none (they stay with the client)"
        )
    if config.privacy.sample_rate != 1:
        return (
            f"privacy.sample_rate = {config.privacy.sample_rate:g} would count on a secret draw of clients, and who is "
            "asked follows from the seed; set privacy.sample_rate = 1 (federation.fraction says how many are asked)"
        )
    return None


def _unprotected(config: RunConfig) -> str | None:
    """What of people's rows would be told without noise, and the mend; None where nothing is."""
    if config.privacy.clip_quantile is not None:
        return "privacy.clip_quantile is of clients' updates; leave it, or set privacy.unit = client"
    if config.train.stop == "validation":
        return "train.stop = validation chooses the adapter by answers without noise; set train.stop = never"
    if config.items.rank and config.items.share == "all" and config.train.item_lr:
        return (
            "item rows are made of answers without noise; set items.share = none (they stay with the client, and "
            "layers learn without them) or train.item_lr = 0 (there are none)"
        )
    if config.items.rank and config.items.share == "all" and config.items.average == "answers":
        return "items.average = answers tells how many answers each item has; set items.average = all"
    if config.split.head:
        return "the layer service is sent single people's activations without noise; set split.head = 0"
    if config.train.step != "plain":
        return f"train.step = {config.train.step} adds no noise; set train.step = plain"
    for name in (config.strategy, *config.baselines):
        if fault := config.section(name, STRATEGIES.load(name)).beside_noise:
            return fault
    return None
