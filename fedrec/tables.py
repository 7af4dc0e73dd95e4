"""What a configuration chooses by name, a line each: the name, and where what it stands for is defined.

The tables lie below the configuration, and import nothing of what they name. Transports and methods of unlearning,
which no configuration chooses, have theirs in `server/transports` and `unlearning/methods`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedrec.choices import Choices

if TYPE_CHECKING:
    from fedrec.strategies.strategy import Strategy
    from fedrec.tasks.task import Task
    from fedrec.training.step import Step

STRATEGIES: Choices[type[Strategy]] = Choices(
    {
        "pplr": "fedrec.strategies.pplr:Pplr",
        "fedavg": "fedrec.strategies.fedavg:FedAvg",
        "fedprox": "fedrec.strategies.fedprox:FedProx",
        "ditto": "fedrec.strategies.ditto:Ditto",
        "local": "fedrec.strategies.local:Local",
        "central": "fedrec.strategies.central:Central",
    }
)

STEPS: Choices[type[Step]] = Choices({"plain": "fedrec.training.plain:Plain"})

TASKS: Choices[type[Task]] = Choices({"like": "fedrec.tasks.like:Like"})
