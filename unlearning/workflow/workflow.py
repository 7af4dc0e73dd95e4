"""The request workflow of a trained model: its operators, subjects' keys, audit log, ledger and certificates.

All of it lies in the folder erasure/ of the model.

policy.json     optional: the ledger's rules (`Policy`), the verification's `Thresholds`, the sender of letters
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field
from sqlalchemy import make_url

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError, command
from fedrec.files import read_json
from fedrec.settings import Section, validated
from unlearning.audit.log import AuditLog, read
from unlearning.certificates.signatures import Signed
from unlearning.executor import TrainedModel
from unlearning.operators.keyring import Keyring
from unlearning.operators.keys import ROLES, Role, key_id
from unlearning.operators.registry import Operator, Registry
from unlearning.requests.crosscheck import ended
from unlearning.requests.database import known_ids
from unlearning.requests.ledger import Ledger
from unlearning.requests.policy import Policy
from unlearning.requests.request import Request
from unlearning.requests.signing import Origin, content
from unlearning.requests.states import State
from unlearning.requests.subjects import SubjectKeys
from unlearning.requests.transitions import Decision
from unlearning.requests.vouching import unvouched
from unlearning.verification import Thresholds
from unlearning.workflow.correspondence import DECISIONS, path_of, write_letter
from unlearning.workflow.passphrases import own_keyring

LEDGER = "FEDREC_LEDGER"  # the variable with the URL of the ledger, where it is not a file in the run
_FILE = "ledger.db"


class Rules(Section):
    """What policy.json may hold."""

    ledger: Policy = Policy()
    thresholds: Thresholds = Thresholds()
    exceptions: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    sender: str = Field("", max_length=300, description="who letters come from: name and address of the controller")


class Workflow:
    """Where requests about one model are received, decided and kept."""

    def __init__(self, model: TrainedModel, database: str | None = None, keyring: Keyring | None = None) -> None:
        """
        Args:
            database: URL of the ledger; none = that of FEDREC_LEDGER, or an SQLite file in the run.
            keyring: the keys of whoever acts here; none = those of the environment.
        """
        self.model, self.folder = model, model.folder / "erasure"
        self.folder.mkdir(exist_ok=True)
        self.audit = AuditLog(self.folder / "audit.jsonl")
        self.operators = Registry(self.folder / "operators", self._note)
        self._keyring = keyring
        self._database = database or os.environ.get(LEDGER) or f"sqlite:///{(self.folder / _FILE).resolve()}"

    @staticmethod
    def is_open(model: TrainedModel, database: str | None = None) -> bool:
        """Whether it has a ledger, or anything tells that it had one. Nothing is made."""
        if not (model.folder / "erasure").is_dir():
            return False
        workflow = Workflow(model, database)
        return known_ids(workflow._database) is not None or workflow._told()

    @cached_property
    def keyring(self) -> Keyring:
        """The private keys, which are never in the run."""
        return self._keyring or own_keyring()

    def enrol(self, name: str, roles: Sequence[Role] = ROLES, protected: bool = True) -> Operator:
        """A new operator of the run, with the key of that name in the keyring, or a new one.

        Raises:
            UsageError: the name or a role is not valid, or the name is taken.
            FedrecError: a new key finds no passphrase.
        """
        return self.operators.register(name, roles, lambda: self.keyring.make(name, protected))

    def ensure_one(self, name: str = "operator", protected: bool = True) -> tuple[str, bool]:
        """The first operator in force, and whether one had to be made: in a run that has none, with every role."""
        return self.operators.ensure_one(name, lambda: self.keyring.make(name, protected))

    def key(self, name: str) -> Ed25519PrivateKey:
        """The private key of an operator in force.

        Raises:
            UsageError: there is no such operator.
            FedrecError: they are revoked, or the key is not here, or is not the one that the run knows.
        """
        operator = self.operators.operator(name)
        if not operator.in_force():
            raise FedrecError(f"operator {name!r}: revoked, so it signs nothing; use another operator's key")
        key = self.keyring.key(name)
        if key_id(key.public_key().public_bytes_raw()) != operator.key_id:
            raise FedrecError(
                f"{self.keyring.path(name)}: not key {operator.key_id}, which is the one of {name!r} in this run: "
                "name the folder that has it by --keys or FEDREC_KEYS"
            )
        return key

    @cached_property
    def rules(self) -> Rules:
        """As policy.json says."""
        path = self.folder / "policy.json"
        return validated(Rules, read_json(path) if path.exists() else {})

    @cached_property
    def ledger(self) -> Ledger:
        """Made where no request was taken yet.

        Raises:
            FedrecError: it is gone, or is another one than the certificates are of.
        """
        known, certified = known_ids(self._database), {path.stem for path in self.certificates.glob("*.json")}
        why = ""
        if known is None and self._told():
            why = f"not there, and {'certificates are' if certified else 'the audit log tells of requests'}"
        elif certified and certified.isdisjoint(known or ()):
            why = "it knows none of the requests that are certified"
        if why:
            where = make_url(self._database).render_as_string()
            mend = f"restore it from a backup, or name the right one by --database or {LEDGER}"
            raise FedrecError(f"ledger {where}: {why}; {mend}")
        subjects = SubjectKeys(self.folder / "subjects")
        return Ledger(
            self._database,
            subjects,
            self.rules.ledger,
            self.operators,
            self._note,
            told_ended=self._ended,
        )

    def _ended(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of some requests of which the audit log tells that they have ended."""
        told = ended(read(self.audit.path)) if ids else set()
        return [id for id in ids if id in told]

    def _told(self) -> bool:
        """Whether a certificate or the audit log tells of a request."""
        if any(self.certificates.glob("*.json")):
            return True
        return self.audit.path.exists() and b'"event":"submitted"' in self.audit.path.read_bytes()

    def named(self, beginning: str) -> str:
        """The whole id of the one request whose id begins so.

        Raises:
            UsageError: there is none, or more than one.
        """
        if (found := self.ledger.named(beginning)) is None:
            shown = command("forget list --run", self.model.folder)
            raise UsageError(f"request {beginning}: not in the ledger; {shown} shows those that are")
        return found

    def submit_all(
        self,
        selections: Sequence[Selection],
        *,
        client: str | None,
        received: datetime | None = None,
        **origin: Unpack[Origin],
    ) -> list[Request]:
        """A request for each, signed by an operator; all of them or none."""
        sign = self.key(origin["requester"]).sign
        return self.ledger.submit_all(selections, client=client, sign=sign, received=received, **origin)

    def submit(self, selection: Selection, *, client: str | None, **origin: Unpack[Origin]) -> Request:
        """A request, signed by an operator."""
        return self.submit_all([selection], client=client, **origin)[0]

    def approve(self, id: str, approver: str, identity: str) -> Request:
        """A request approved, signed by an operator."""
        return self.ledger.approve(id, approver, identity=identity, sign=self.key(approver).sign)

    def plan(self, request: Request, plan: dict[str, Any], signer: str) -> Request:
        """A request planned, or planned again, signed by an operator."""
        return self.ledger.plan(request.id, plan, signer, sign=self.key(signer).sign)

    def unvouched(self, request: Request) -> str | None:
        """Why a request must not be carried out although the ledger calls it approved; None where all is signed.

        Of a closed one its certificate says how many people stand behind it, by whatever rules there were.
        """
        rules = self.rules.ledger
        if request.state == State.CLOSED:
            rules = rules.model_copy(update={"four_eyes": False})
        return unvouched(request, rules, self.operators)

    def signatures(self, request: Request) -> dict[str, Signed]:
        """Who asked, approved and planned it, as the evidence tells it."""
        return {
            says: Signed(
                content=content(request, says, signature.operator, signature.at),  # type: ignore[arg-type]
                signature=signature.value,
                public_key=self.operators.export(signature.operator),
            )
            for says, signature in request.signatures.items()
        }

    def decide(self, id: str, decision: Decision, approver: str) -> Request:
        """A request refused, cancelled, held, released or given more time, signed by an operator; with the letter."""
        request = self.ledger.decide(id, decision, approver, sign=self.key(approver).sign)
        write_letter(self, request, decision.says)
        return request

    @property
    def certificates(self) -> Path:
        return certificates_of(self.model)

    def bundle(self, id: str) -> Path:
        return self.folder / "bundles" / id

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    def documents_of(self, id: str) -> dict[str, Path]:
        """What was written about a request and is there."""
        paths = {
            "certificate": self.certificates / f"{id}.json",
            "evidence": self.bundle(id),
            "page": self.documents / f"{id}.html",
            "reply": self.documents / f"{id}.txt",
            **{name: path_of(self, id, decided) for decided, name in DECISIONS.items()},
        }
        return {name: path for name, path in paths.items() if path.exists()}

    def _note(self, event: str, facts: dict[str, Any]) -> datetime:
        line = self.audit.append(event, **{name: value for name, value in facts.items() if value is not None})
        return datetime.fromisoformat(line["at"])


def certificates_of(model: TrainedModel) -> Path:
    """The folder of a model's certificates."""
    return model.folder / "erasure" / "certificates"
