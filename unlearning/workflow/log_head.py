"""Where a model's audit log and certificates end, to be kept elsewhere."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from fedrec.errors import FedrecError, UsageError
from fedrec.files import read_json
from fedrec.settings import Section
from unlearning.audit.fields import Count, Digest
from unlearning.audit.log import check
from unlearning.certificates.chain import heads
from unlearning.workflow.workflow import Workflow


class Head(Section):
    """By it is found what is cut off or written anew later.

    Attributes:
        lines, log: how many lines the log has, and the hash of the last.
        certificates, certificate: how many certificates there are, and the digest of the last.
    """

    lines: Count
    log: Digest
    certificates: Count
    certificate: Digest | None


def head(workflow: Workflow) -> Head:
    """
    Raises:
        FedrecError: there is no log, or the certificates are no row.
    """
    log, ends = check(workflow.audit.path), heads(workflow.certificates)
    if len(ends) > 1:
        raise FedrecError(f"{workflow.certificates}: the certificates are no row, so they have no end to keep")
    number = len(list(workflow.certificates.glob("*.json")))
    return Head(lines=log.lines, log=log.head, certificates=number, certificate=ends[0] if ends else None)


def read_head(path: Path) -> Head:
    """
    Raises:
        UsageError: the file does not hold one.
    """
    try:
        return Head.model_validate(read_json(path))
    except (ValidationError, OSError):
        raise UsageError(f"--since {path}: not what --head FILE wrote") from None
