"""Whether adapters can be on the layers that a configuration targets: here, and in the PEFT folders that keep them."""

from __future__ import annotations

from transformers import PreTrainedModel

from fedrec.config import LoraConfig
from fedrec.errors import UsageError
from fedrec.models.adapter import target_layers
from fedrec.models.adapter_reach import ends, refusal, unreached
from fedrec.models.peft_folder import lost_in_peft


def check_targets(model: PreTrainedModel, config: LoraConfig) -> None:
    """Refuse targets that cannot hold an adapter.

    Raises:
        UsageError: names them, and the targets that are left, if any.
    """
    if wrong := barred(model, config):
        raise UsageError(refusal(wrong, target_layers(model, config.targets)))


def barred(model: PreTrainedModel, config: LoraConfig) -> dict[str, str]:
    """The targeted layers that cannot hold an adapter, and why."""
    layers = tuple(target_layers(model, config.targets))
    wrong = unreached(model, layers)
    left = [name for name in layers if name not in wrong]
    if not left:
        return wrong
    rest = config.model_copy(update={"targets": tuple(ends(left, wrong))}) if wrong else config
    return wrong | lost_in_peft(model, rest)
