"""What is chosen by name: a line is a name and where what it stands for is defined, imported on use.

So a registry costs nothing to read, and adding to it is one line: `"mine": "package.module:Mine"`. Here is what a
configuration chooses from, below the configuration; `server.transports` and `unlearning.methods` have their own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from fedrec.errors import UsageError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from fedrec.strategies.strategy import Strategy
    from fedrec.tasks.task import Task
    from fedrec.training.step import Step

T = TypeVar("T")


class Registry(dict[str, str], Generic[T]):
    """Names, and where each is defined: `module:attribute`. In an annotation, `Annotated[str, STEPS]`, one of them."""

    def load(self, name: str) -> T:
        """What a name stands for."""
        return cast(T, attribute(self[name]))

    def check(self, name: str, option: str) -> None:
        """
        Raises:
            UsageError: a user gave a name that is none of these by an option.
        """
        if name not in self:
            raise UsageError(f"{option} {name}: choose {', '.join(self)}")

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def _known(self, name: str) -> str:
        if name not in self:
            from pydantic_core import PydanticCustomError

            raise PydanticCustomError("choice", "choose {known}", {"known": ", ".join(self)})
        return name


def attribute(place: str) -> Any:
    """What `module:attribute` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


STRATEGIES: Registry[type[Strategy]] = Registry(
    {
        "pplr": "fedrec.strategies.pplr:Pplr",
        "fedavg": "fedrec.strategies.fedavg:FedAvg",
        "fedprox": "fedrec.strategies.fedprox:FedProx",
        "ditto": "fedrec.strategies.ditto:Ditto",
        "local": "fedrec.strategies.local:Local",
        "central": "fedrec.strategies.central:Central",
    }
)

STEPS: Registry[type[Step]] = Registry({"plain": "fedrec.training.plain_step:Plain"})

TASKS: Registry[type[Task]] = Registry({"like": "fedrec.tasks.like:Like"})
