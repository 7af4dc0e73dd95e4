"""`fedrec forget` over runs and sharded models: the one place that hands the commands what they forget in."""

from __future__ import annotations

from pathlib import Path

from unlearning.commands.forget.app import commands_over
from unlearning.commands.forget.arguments import Session
from unlearning.executor import Host


def _open(path: Path | None) -> Host:
    from server.remote_folder import is_deployed
    from server.run import find_run_or_model
    from unlearning.central.model_folder import is_model

    if is_deployed(found := path or find_run_or_model()):
        from server.deployment.forgetting import DeployedHost

        return DeployedHost.at(found)
    if is_model(found := find_run_or_model(found)):
        from unlearning.central.host import CentralHost
        from unlearning.central.model_folder import ModelFolder

        return CentralHost(ModelFolder(found))
    from server.host import RunHost
    from server.simulated_run import SimulatedRun

    return RunHost(SimulatedRun(found))


app = commands_over(Session(_open, modules=("server.transports.processes", "clients.app")))
