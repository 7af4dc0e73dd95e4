"""Whether a run's clients on this machine have done every erasure that its ledger remembers."""

from __future__ import annotations

from contextlib import closing

from fedrec.errors import FedrecError
from server.catching_up import refuse
from server.simulated_run import SimulatedRun
from unlearning.workflow.workflow import Workflow, certificates_of


def check_current(run: SimulatedRun) -> None:
    """
    Raises:
        FedrecError: a client's folder is an old copy, which was put back: nothing may answer from it.
    """
    main = run.main
    if not Workflow.is_open(main):
        if any(certificates_of(main).glob("*.json")):
            where = f"{main.folder / 'erasure' / 'ledger.db'}: not there, and certificates are"
            raise FedrecError(f"{where}; restore it from a backup, or name the ledger by FEDREC_LEDGER")
        return
    with closing(Workflow(main).ledger) as ledger:
        ends = ledger.chain_ends()
    homes = main.homes
    for name, (number, head) in ends.items():
        if name in homes and homes[name].has_vault and homes[name].vault.chain(number)[0] != head:
            refuse(main, {name: "lacks erasures that it had done"})
