"""What the newest erasure of each shard left to be served, by its certificate: what is of before it is served no more.

A certificate counts if the ledger names it; one that is gone or altered is a finding of the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fedrec.vault.vault import Vault
from unlearning.certificates.chain import in_row
from unlearning.certificates.claims import claimed_threshold
from unlearning.executor import TrainedModel
from unlearning.requests.reader import Reader
from unlearning.requests.states import State
from unlearning.workflow.workflow import certificates_of

LACKS = "lacks erasures that it had done, or their tombstones"
"""What is wrong with a vault that does not end its chain of erasures where the ledger remembers."""


def lacks(vault: Vault, end: tuple[int, str]) -> bool:
    """Whether a vault lacks erasures that it had done, or their tombstones.

    Args:
        end: the number and head of its last erasure, as the ledger remembers it.
    """
    number, head = end
    return vault.chain(number)[0] != head


class Newest(NamedTuple):
    """By client the hash of its adapter, the request for which it was trained, and whether training gives it again."""

    adapters: dict[str, str]
    request: str
    exact: bool = True

    @property
    def gone(self) -> str:
        """Why what is of before it is not put right by training; empty where it is."""
        return "" if self.exact else f"erasure {self.request} left an approximate answer, which nothing makes again"


def published(model: TrainedModel, ledger: Reader) -> dict[int, Newest]:
    """By shard, where an erasure trained it again; without those that an open request keeps out."""
    found: dict[int, Newest] = {}
    out = ledger.shards_out()
    known = {request.certificate for request in ledger.list(State.CLOSED)}
    for certificate in (signed.certificate for signed in in_row(certificates_of(model)) if signed.digest in known):
        for shard in certificate.shards:
            hashes = {each.client: each.after for each in certificate.adapters if each.shard == shard}
            adapters = {client: after for client, after in hashes.items() if after}
            found[shard] = Newest(adapters, certificate.request, claimed_threshold(certificate.claim) is None)
    return {shard: newest for shard, newest in found.items() if shard not in out}


def differ(published: Mapping[int, Newest], hashes: Mapping[str, Mapping[int, str]]) -> dict[int, str]:
    """The shards of which some client has another adapter, each with the request for which the right one was trained.

    Args:
        hashes: by client and shard, of the adapters that it has.
    """
    return {
        shard: newest.request
        for shard, newest in published.items()
        if any(hashes.get(client, {}).get(shard, after) != after for client, after in newest.adapters.items())
    }
