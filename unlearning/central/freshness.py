"""Whether a sharded model has done every erasure that its ledger remembers; an old copy that was put back has not."""

from __future__ import annotations

from contextlib import closing

from fedrec.errors import FedrecError, command
from fedrec.vault.chain import ORIGIN
from unlearning.central.model_folder import CENTRAL, ModelFolder
from unlearning.requests.ledger import Ledger
from unlearning.workflow.findings import refuse_unproved
from unlearning.workflow.newest_erasure import LACKS
from unlearning.workflow.workflow import Workflow


def behind(model: ModelFolder, ledger: Ledger) -> str | None:
    """What a model lacks of the erasures that the ledger remembers; what is new of them the ledger remembers then."""
    number, head = ledger.chain_ends().get(CENTRAL, (0, ORIGIN))
    here, links = model.vault.chain(number)
    if here != head:
        return LACKS
    if links:
        ledger.extend_chain(CENTRAL, links)
    return "would serve what was withdrawn, or be judged by erased rows" if any(model.ensemble.misleading()) else None


def check_behind(model: ModelFolder, ledger: Ledger) -> None:
    """
    Raises:
        FedrecError: it is behind.
    """
    if why := behind(model, ledger):
        again = command("forget run --run", model.folder)
        raise FedrecError(f"{model.called} {why}, as if an old copy had been put back: {again} repeats it")


def check_current(model: ModelFolder) -> None:
    """
    Raises:
        FedrecError: the model is an old copy, which was put back: nothing may answer from it.
    """
    if Workflow.is_open(model):
        workflow = Workflow(model)
        with closing(workflow.ledger) as ledger:
            refuse_unproved(workflow)
            check_behind(model, ledger)
