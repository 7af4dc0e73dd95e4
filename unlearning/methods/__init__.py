"""Methods of unlearning: a name stands for a method, and PARTITIONER+AGGREGATOR for one of those two.

A name may be followed by settings of the method: `e2urec:alpha=1:beta=0.5`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fedrec.errors import UsageError
from fedrec.registry import Registry
from fedrec.settings import validated

if TYPE_CHECKING:
    from fedrec.config import AggregationConfig
    from unlearning.methods.method import Method, Unit

METHODS: Registry[type[Method]] = Registry(
    {
        "retraining": "unlearning.methods.from_papers:Retraining",
        "sisa": "unlearning.methods.from_papers:Sisa",
        "grapheraser": "unlearning.methods.from_papers:GraphEraser",
        "receraser": "unlearning.methods.from_papers:RecEraser",
        "apa-d": "unlearning.methods.from_papers:ApaD",
        "apa-nd": "unlearning.methods.from_papers:ApaNd",
        "apa-user": "unlearning.methods.from_papers:ApaUser",
        "strict": "unlearning.methods.from_papers:Strict",
        "strict-hash": "unlearning.methods.from_papers:StrictHash",
        "e2urec": "unlearning.methods.e2urec:E2URec",
        "gradient-ascent": "unlearning.methods.gradient_ascent:GradientAscent",
        "neggrad": "unlearning.methods.neggrad:NegGrad",
        "negkl": "unlearning.methods.negkl:NegKL",
        "random-labels": "unlearning.methods.wrong_labels:RandomLabels",
        "flipped-labels": "unlearning.methods.wrong_labels:FlippedLabels",
        "bad-teacher": "unlearning.methods.bad_teacher:BadTeacher",
        "generic-targets": "unlearning.methods.generic_targets:GenericTargets",
        "subtract": "unlearning.methods.subtract:Subtract",
        "in-context": "unlearning.methods.in_context:InContext",
    }
)


def method_named(
    name: str, shards: int, slices: int = 1, aggregation: AggregationConfig | None = None, unit: Unit = "user"
) -> Method:
    """A method by its name, with settings or without, or as PARTITIONER+AGGREGATOR.

    Args:
        unit: what will be deleted; of a name it decides the partitioner.

    Raises:
        UsageError: it is unknown, or a setting is none of its own.
    """
    from fedrec.config import AggregationConfig
    from fedrec.ensemble.aggregators import AGGREGATORS
    from unlearning.partition import PARTITIONERS

    kind, (bare, *given) = _kind(name), name.split(":")
    pair = bare if bare not in METHODS else kind.by_user if unit == "user" else kind.by_row
    partition, plus, aggregator = pair.partition("+")
    if not plus or partition not in PARTITIONERS or aggregator not in AGGREGATORS:
        raise UsageError(
            f"method {name}: choose {', '.join(METHODS)}, or PARTITIONER+AGGREGATOR of {', '.join(PARTITIONERS)} "
            f"and {', '.join(AGGREGATORS)}"
        )
    made = kind.make(name, pair, shards, slices, aggregation or AggregationConfig())
    settings = dict(each.partition("=")[::2] for each in given)
    return made if not settings else validated(kind, made.model_dump() | settings)


def method_from(tree: Mapping[str, Any]) -> Method:
    """A method as its `model_dump` tells it."""
    return _kind(tree["name"]).model_validate(tree)


def _kind(name: str) -> type[Method]:
    if (bare := name.partition(":")[0]) in METHODS:
        return METHODS.load(bare)
    from unlearning.methods.method import Method

    return Method
