"""The erasure side of a run's page: plain facts that name no person, and its section in Jinja, a macro.

The same facts give the same bytes. What is late is late on the day the facts are of, not on the day they are read.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

LONG = 20  # closed requests; more of them are folded away

KINDS = {"user": "a person", "client": "a client", "item": "items", "dates": "a range of dates"}
STATES = {
    "failed": "could not be carried out, or the check did not pass; what was withdrawn stays so",
    "held": "stopped for a reason; its last day stays",
    "received": "waits for a decision",
    "identified": "approved; the next run carries it out",
    "planned": "approved; the next run carries it out",
    "quarantined": "withdrawn: what learned from it answers nobody",
    "erasing": "withdrawn; deleted, and the shards are trained again",
    "verifying": "withdrawn; the retrained shards are checked",
    "published": "served again; the certificate is to come",
    "closed": "erased and verified; its certificate says what became of the model",
    "refused": "nothing was done; the letter to the person says why, and where to complain",
    "cancelled": "nothing was done, because whoever asked no longer wants it",
}


@dataclass(frozen=True)
class Waiting:
    """An open request; `kind` and `state` are words of `KINDS` and `STATES`, `due` is the last day to answer."""

    id: str
    kind: str
    state: str
    received: date
    due: date
    extended: bool


@dataclass(frozen=True)
class Closed:
    """A closed request and what it took: the shards trained again, and the rounds of each.

    Attributes:
        withdrawn, restored: seconds until nothing that learned from it was served, and until its shards were again.
        certificate: whether the run holds its certificate, with its evidence and page.
    """

    id: str
    kind: str
    closed: date
    shards: Sequence[int]
    rounds: int
    withdrawn: float | None
    restored: float | None
    certificate: bool


@dataclass(frozen=True)
class Erasures:
    """The erasure requests of a run.

    Attributes:
        on: the day, UTC, that the facts are of.
        counts: requests by state.
        waiting: the first due first, so late ones lead.
        closed: the newest first.
        people: by client, how many people each shard learned from, where this machine holds the clients.
    """

    on: date
    counts: Mapping[str, int]
    waiting: Sequence[Waiting]
    closed: Sequence[Closed]
    people: Mapping[str, Sequence[int]]


def view(erasures: Erasures) -> dict[str, Any]:
    """What the section shows, as its template names it."""
    late = [(request, (erasures.on - request.due).days) for request in erasures.waiting]
    return {
        "on": erasures.on,
        "states": [(state, erasures.counts[state], words) for state, words in STATES.items() if erasures.counts.get(state)],
        "waiting": [(request, KINDS.get(request.kind, request.kind), max(days, 0)) for request, days in late],
        "late": sum(days > 0 for _, days in late),
        "closed": [(request, KINDS.get(request.kind, request.kind)) for request in erasures.closed],
        "folded": len(erasures.closed) > LONG,
        "refused": erasures.counts.get("refused", 0),
        "withdrawn": max((r.withdrawn for r in erasures.closed if r.withdrawn is not None), default=None),
        "restored": max((r.restored for r in erasures.closed if r.restored is not None), default=None),
        "certified": next((request.id for request in erasures.closed if request.certificate), None),
        "people": erasures.people,
        "totals": [sum(column) for column in zip(*erasures.people.values(), strict=True)],
    }  # fmt: skip


SECTION = r"""{# Uses `plural` and `stat` of "words". #}
{% macro seconds(value) %}{{ value|number(2) }}{{ " s" if value is not none }}{% endmacro %}
{% macro closed_table(closed) %}
  <div class="scroll"><table>
    <thead><tr><th scope="col">Request</th><th scope="col">Of</th><th scope="col">Closed</th><th scope="col">Certificate</th><th scope="col">Shards</th>
      <th scope="col" class="n">Rounds</th><th scope="col" class="n">Withdrawn</th><th scope="col" class="n">Restored</th></tr></thead>
    <tbody>
    {% for request, kind in closed %}
      <tr><td><code>{{ request.id|clean }}</code></td><td class="line">{{ kind|clean }}</td><td class="line">{{ request.closed }}</td>
        <td class="line">{% if request.certificate %}<a href="erasure/documents/{{ request.id|urlencode }}.html">page</a> · <a href="erasure/certificates/{{ request.id|urlencode }}.json">signed</a>{% else %}not here{% endif %}</td>
        <td>{{ request.shards|join(", ") or "none" }}</td><td class="n">{{ request.rounds|count }}</td><td class="n">{{ seconds(request.withdrawn) }}</td><td class="n">{{ request.restored|duration }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
{% endmacro %}
{% macro erasure_section(erasures) %}
<section aria-labelledby="erasures">
  <h2 id="erasures">Requests to be forgotten</h2>
  {% if erasures.states %}
  <dl class="stats">
    {{ stat("Open", erasures.waiting|length|count, (erasures.late|count ~ " late") if erasures.late else "none late") }}
    {{ stat("Closed", erasures.closed|length|count, (erasures.refused|count ~ " refused") if erasures.refused else "none refused") }}
    {{ stat("Withdrawn within", seconds(erasures.withdrawn), "the slowest, from the start of the work") }}
    {{ stat("Restored within", erasures.restored|duration, "the slowest, from the start of the work") }}
  </dl>
  <div class="scroll"><table>
    <thead><tr><th scope="col">State</th><th scope="col">Meaning</th><th scope="col" class="n">Requests</th></tr></thead>
    <tbody>
    {% for state, number, words in erasures.states %}
      <tr><th scope="row">{{ state }}</th><td>{{ words }}</td><td class="n">{{ number|count }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  <p class="say">As of {{ erasures.on }}, UTC. A request is shown by its number and kind; no person stands on this page, not under a pseudonym either.</p>
  {% else %}
  <p class="say">No request has come in, as of {{ erasures.on }}, UTC.</p>
  {% endif %}
  {% if erasures.waiting %}
  <h3>Open, and until when</h3>
  <div class="scroll"><table>
    <thead><tr><th scope="col">Request</th><th scope="col">Of</th><th scope="col">State</th><th scope="col">Received</th><th scope="col">To be answered by</th></tr></thead>
    <tbody>
    {% for request, kind, days in erasures.waiting %}
      <tr><td><code>{{ request.id|clean }}</code></td><td class="line">{{ kind|clean }}</td><td>{{ request.state|clean }}</td><td class="line">{{ request.received }}</td>
        <td{% if days %} class="late"{% endif %}>{{ request.due }}{{ ", extended" if request.extended }}{% if days %}, late by {{ plural(days, "day") }}{% endif %}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  {% endif %}
  {% if erasures.closed %}
  <h3>Closed, and what each took</h3>
  {% if erasures.folded %}
  <details>
    <summary>All {{ erasures.closed|length|count }} closed requests</summary>
    {{ closed_table(erasures.closed) }}
  </details>
  {% else %}
  {{ closed_table(erasures.closed) }}
  {% endif %}
  <p class="say">Only the shards that had learned from the request are trained again, from their start; requests that were carried out together share their times. Withdrawn is the time until nothing that had learned from it answered any more; Restored, until its shards were trained again.
    {% if erasures.certified is not none %}A certificate is checked in this page's folder, without the run and without a network:{% endif %}</p>
  {% if erasures.certified is not none %}
  <p><code>fedrec forget verify erasure/certificates/{{ erasures.certified|clean }}.json --bundle erasure/bundles/{{ erasures.certified|clean }} --key operators.pem</code>, with the operators' public keys, which <code>fedrec forget keys --export</code> gives</p>
  {% endif %}
  {% endif %}
  {% if erasures.people %}
  <h3>How many people are in which shard</h3>
  <div class="scroll"><table>
    <thead><tr><th scope="col">Client, by shard</th>{% for shard in range(erasures.totals|length) %}<th scope="col" class="n">{{ shard }}</th>{% endfor %}<th scope="col" class="n">All</th></tr></thead>
    <tbody>
    {% for client, counts in erasures.people.items() %}
      <tr><th scope="row"><bdi>{{ client|clean }}</bdi></th>{% for people in counts %}<td class="n">{{ people|count }}</td>{% endfor %}<td class="n">{{ counts|sum|count }}</td></tr>
    {% endfor %}
    </tbody>
    <tbody class="total">
      <tr><th scope="row">All clients</th>{% for people in erasures.totals %}<td class="n">{{ people|count }}</td>{% endfor %}<td class="n">{{ erasures.totals|sum|count }}</td></tr>
    </tbody>
  </table></div>
  <p class="say">A person's shard depends on the person alone, so nobody moves when somebody goes. To forget one person takes the training of one shard, of one column.</p>
  {% endif %}
</section>
{% endmacro %}
"""
