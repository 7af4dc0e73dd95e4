"""What each certificate of a row began with, held against what the one before it had left: client by client.

The one before is the one that its plan names as the newest then, which several of one batch have in common. A client's
rows are theirs to change, and no signature tells of it: that is noted. A client that lacks an erasure that it had done,
or serves what was trained again since, is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from unlearning.audit.chain import ORIGIN
from unlearning.certificates.certificate import Certificate, SignedCertificate
from unlearning.certificates.faults import Parts

_NEVER = (0, ORIGIN)  # the end of a chain without erasures


class Said(NamedTuple):
    """Something of one certificate.

    Attributes:
        fault: whether it must not be; else it may be, and cannot be checked.
    """

    request: str
    why: str
    fault: bool


def succession(row: Sequence[SignedCertificate], evidence: Mapping[str, Parts]) -> Iterator[Said]:
    """What there is to say.

    Args:
        row: in order.
        evidence: the parts of the bundles that are there, by request.
    """
    places = {signed.digest: place for place, signed in enumerate(row)}
    for place, signed in enumerate(row):
        own = signed.certificate
        if own.request not in evidence:
            yield Said(own.request, "what it began with, as its evidence is not there", fault=False)
            continue
        follows = evidence[own.request]["plan.json"]["follows"]
        if follows is None:
            continue
        former = places.get(follows, place)
        if former >= place:
            yield Said(own.request, "its plan begins with what a certificate left that is not before it", fault=True)
            continue
        yield from _adapters(own, [each.certificate for each in row[: former + 1]])
        before = row[former].certificate.request
        if before in evidence:
            for what in _exchanged(evidence[before]["config.json"], evidence[own.request]["config.json"]):
                yield Said(own.request, f"it is over another {what} than when {before} was certified", fault=True)
            for fault, why in _data(before, evidence[before], evidence[own.request]):
                yield Said(own.request, why, fault)


def behind(left: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """The clients whose chain of erasures is not one that goes on from where it was left.

    Args:
        left, there: number and head of each client's last erasure; nothing where it had none.
    """
    pairs = {client: (tuple(end), tuple(there.get(client, _NEVER))) for client, end in left.items()}
    return sorted(c for c, (was, now) in pairs.items() if now[0] < was[0] or (now[0] == was[0] and now != was))


def _data(before: str, left: Parts, begun: Parts) -> Iterator[tuple[bool, str]]:
    """Whether it is a fault, and what."""
    was, now = left["data_manifest.json"]["after"], begun["plan.json"]["data_before"]
    ends, there = left["data_manifest.json"]["erasures_after"], begun["plan.json"]["erasures_before"]
    lacking = behind(ends, there)
    for client in sorted(was):
        if client not in now:
            yield True, f"{client} was there when {before} was certified, and is no more"
        elif client in lacking:
            yield True, f"{client} lacks erasures that it had when {before} was certified: an old copy was put back"
        elif "" in (was[client], now[client]):
            yield False, f"the rows of {client}: the key by which they are known is destroyed"
        elif was[client] != now[client]:
            more = there.get(client, _NEVER)[0] - ends.get(client, _NEVER)[0]
            how = f"it erased {more} times more by itself" if more else "rows were imported, or changed otherwise"
            yield False, f"{client} has other rows than when {before} was certified: {how}, which nobody signs"


def _exchanged(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What the run was prepared over that is pinned in both configurations, and not alike."""
    pinned, pins = was.get("pinned", {}), now.get("pinned", {})
    return sorted(what for what in pinned if None not in (pins.get(what), pinned[what]) and pins[what] != pinned[what])


def _adapters(own: Certificate, others: Sequence[Certificate]) -> Iterator[Said]:
    """What was served of the shards, where anything was, is what the newest of the others that has them left."""
    newest = {(each.client, each.shard): (one, each.after) for one in others for each in one.adapters if each.after}
    for adapter in own.adapters:
        one, after = newest.get((adapter.client, adapter.shard), (own, adapter.before))
        if adapter.before not in (None, after):
            why = f"{adapter.client} served another adapter of shard {adapter.shard} than {one.request} left"
            if one.config != own.config:
                yield Said(own.request, f"{why}: the run was configured anew, and may have trained more", fault=False)
            else:
                yield Said(own.request, why, fault=True)
