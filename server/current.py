"""Whether a run's clients on this machine have done every erasure that its ledger remembers."""

from __future__ import annotations

from contextlib import closing

from fedrec.errors import FedrecError
from fedrec.store import Run
from server.catching_up import refuse
from unlearning.workflow.workflow import Workflow, certificates_of


def check_current(run: Run) -> None:
    """
    Raises:
        FedrecError: a client's folder is an old copy, which was put back: nothing may answer from it.
    """
    home = run.home
    if not Workflow.is_open(home):
        if any(certificates_of(home).glob("*.json")):
            where = f"{home.folder / 'erasure' / 'ledger.db'}: not there, and certificates are"
            raise FedrecError(f"{where}; restore it from a backup, or name the ledger by FEDREC_LEDGER")
        return
    with closing(Workflow(home).ledger) as ledger:
        ends = ledger.chain_ends()
    for name, (number, head) in ends.items():
        store = home.client(name)
        if store.has_vault and store.vault.chain(number)[0] != head:
            refuse(home, {name: "lacks erasures that it had done"})
