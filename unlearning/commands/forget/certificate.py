"""`fedrec forget verify, certificate, keys`: what proves an erasure, and who signed it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fedrec.errors import FedrecError, UnknownSigner, UsageError
from fedrec.options import Json, Run
from unlearning.commands.forget.arguments import Database, RequestId, opened


def verify(
    certificate: Annotated[Path, typer.Argument(help="The certificate's file, or the folder of all.")],
    bundle: Annotated[Path | None, typer.Option(help="The folder of its evidence, or that of all.")] = None,
    key: Annotated[list[Path] | None, typer.Option(help="Files of public keys (PEM) that are trusted.")] = None,
    previous: Annotated[Path | None, typer.Option(help="The certificate before it.")] = None,
    json: Json = None,
) -> None:
    """CERTIFICATE: check it offline; no run is needed. Exit 1 on any altered byte, 3 without a key that is trusted.

    Of a folder also that they are one row, and that each began with what the one before it had left.
    """
    from fedrec.console.json_output import write_result
    from fedrec.console.terminal import terminal
    from unlearning.certificates.chain import verify_chain
    from unlearning.certificates.verify import verify_certificate
    from unlearning.operators.keys import key_id

    say = partial(terminal(json == "-").print, markup=False, soft_wrap=True)
    trusted = None
    if key:
        trusted = {key_id(public): public for path in key for public in _publics(path)}
    if certificate.is_dir():
        if previous is not None:
            raise UsageError(f"--previous {previous}: a folder has the one before each; leave it out")
        verdict = verify_chain(certificate, bundles=bundle, trusted=trusted)
    else:
        verdict = verify_certificate(certificate, bundle=bundle, trusted=trusted, previous=previous)
    for check in verdict.checks:
        say(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.why}")
    for warning in verdict.warnings:
        say(f"no    {warning}", style="yellow")
    for unchecked in verdict.unchecked:
        say(f"not checked: {unchecked}", style="dim")
    told: dict[str, object] = {"ok": verdict.ok, "signer": verdict.signer, "approval": verdict.approval}
    told |= {"warnings": verdict.warnings, "unchecked": verdict.unchecked}
    write_result({**told, "checks": [check._asdict() for check in verdict.checks]}, json)
    if not verdict.intact:
        raise FedrecError(f"{certificate}: verification failed")
    if not verdict.ok:
        raise UnknownSigner(
            f"{certificate}: nothing in it was altered, but anybody may have signed it: give the operators' public "
            "keys by --key (`fedrec forget keys --export NAME --run RUN` prints them)"
        )


def certificate(id: RequestId, run: Run = None, database: Database = None) -> None:
    """ID: where the certificate, its evidence, the page and the reply to the person are."""
    given = opened(run, database)
    workflow, id = given.workflow, given.workflow.named(id)
    documents = workflow.documents_of(id)
    if "certificate" not in documents:
        raise UsageError(f"request {id}: no certificate; it is {workflow.ledger.get(id).state.value}")
    for name, where in documents.items():
        given.say(f"{name:<12}{where}")


def keys(
    create: Annotated[str | None, typer.Option(help="Make an operator of this name, with your key of it.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="requester, approver, signer; none = all.")] = None,
    passphrase: Annotated[
        bool, typer.Option("--passphrase/--no-passphrase", help="Keep a new private key under a passphrase.")
    ] = True,
    revoke: Annotated[str | None, typer.Option(help="Take an operator's keys out of force.")] = None,
    export: Annotated[list[str] | None, typer.Option(help="Print the public keys of these operators.")] = None,
    run: Run = None,
) -> None:
    """The operators of a run and their public keys. Private keys are kept by their owners, outside the run."""
    from unlearning.operators.keys import ROLES

    given = opened(run)
    workflow, operators = given.workflow, given.workflow.operators
    if create is not None:
        there = workflow.keyring.path(create).exists()
        workflow.enrol(create, role or ROLES, passphrase)  # type: ignore[arg-type]
        how = "that was there" if there else "made, under a passphrase" if passphrase else "made, WITHOUT a passphrase"
        given.say(f"private key {how}: {workflow.keyring.path(create)}")
    if revoke is not None:
        operators.revoke(revoke)
    if export:
        given.say("".join(map(operators.export, export)).removesuffix("\n"))
        return
    for operator in operators.operators():
        state = "in force" if operator.revoked_at is None else "revoked"
        given.say(f"{operator.name}  {operator.key_id}  {', '.join(operator.roles)}  {state}")


def _publics(path: Path) -> list[bytes]:
    from unlearning.operators.keys import read_publics

    try:
        return read_publics(path.read_bytes())
    except OSError as error:
        raise UsageError(f"--key {path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(
            f"--key {path}: {error}; `fedrec forget keys --export NAME --run RUN` gives public keys"
        ) from None
