"""What the experiments that forget share: requests handed in and approved, and carried out in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clients.app import app as client_app
from fedrec.data.selection import Selection
from server.federated_executor import FederatedExecutor
from server.simulated_run import SimulatedRun
from server.transports.in_process import LocalGrid
from unlearning.workflow.execution import Execution
from unlearning.workflow.passphrases import own_keyring
from unlearning.workflow.workflow import Workflow


def workflow_of(run: SimulatedRun) -> Workflow:
    """The workflow of a run, with one operator who is there for the experiment: the key lies beside the run, open."""
    workflow = Workflow(run, keyring=own_keyring(run.folder.parent / "keys"))
    workflow.ensure_one(protected=False)
    return workflow


def asked(run: SimulatedRun, users: Iterable[str]) -> None:
    """A request for each user, handed in and approved by one operator."""
    workflow = workflow_of(run)
    operator, _ = workflow.ensure_one()
    for user in users:
        selection = Selection(users=(user,))
        request = workflow.submit(selection, client=None, channel="benchmark", ground="17(1)(b)", requester=operator)
        workflow.approve(request.id, operator, "known-account")


def carried_out(run: SimulatedRun, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """What `fedrec forget run` does before it draws the page, and what came of each request."""
    workflow = workflow_of(run)
    operator, _ = workflow.ensure_one()
    erasure = FederatedExecutor(run, LocalGrid(client_app, run.nodes()))
    return Execution(workflow, erasure, operator, say).run()
