"""The template of a run's page, in Jinja: what it adds to `fedrec.shell`."""

# ruff: noqa: E501

from fedrec.erasures import SECTION

PAGE = (
    r"""{% extends "shell" %}
{% from "words" import plural, stat %}
"""
    + SECTION
    + r"""{% macro was(before, after) %}{% if before is not none %}<span class="was">{{ before|number }} →</span> {% endif %}{{ after|number }}{% endmacro %}
{% macro metric(overall, key) %}<td class="n{{ ' best' if key in best and overall[key] == best[key] }}">{{ overall[key]|number }}</td>{% endmacro %}
{% macro hiding() %}{% if hidden > 0 %} The {{ result.clients|length - hidden }} clients with the lowest AUC of {{ result.clients|length }} are drawn.{% endif %}{% endmacro %}

{% block facts %}
{{ plural(result.clients|length, "client") }}, {{ plural(result.rounds, "round") }}, {{ plural(shards, "shard") }}:
    {{ strategy_words }}. Data <bdi>{{ result.data|clean }}</bdi>, base model <bdi>{{ result.base|clean }}</bdi>, seed {{ result.seed }}.{% endblock %}

{% block body %}

<section aria-labelledby="result">
  <h2 id="result">Result</h2>
  {% for doubt in doubts %}
  <p class="say"><strong class="late">Warning.</strong> {{ doubt }}.</p>
  {% endfor %}
  <dl class="stats">
    {{ stat("AUC over all test rows" if measured >= 1 else "AUC over the test rows of " ~ measured|percent ~ " of the people", overall.auc|number, "before the first round " ~ before_overall.auc|number if before_overall.auc is not none) }}
    {% if share is not none %}
    {{ stat("Of the way to the best", share|percent, "from guessing, 0.5, to the best possible, " ~ result.best_possible_auc|number(3)) }}
    {% endif %}
    {{ stat("Mean client", overall.mean_auc|number, "standard deviation " ~ overall.std_auc|number) }}
    {{ stat("Worst client", overall.worst_auc|number) }}
    {{ stat("Sent and received", (result.bytes_down + result.bytes_up)|size, result.bytes_down|size ~ " to the clients, " ~ result.bytes_up|size ~ " back") }}
    {{ stat("Time", result.seconds|duration) }}
    <div class="wide"><dt>Hash of the adapters</dt><dd><code>{{ result.adapter_hash|clean(200) }}</code></dd><dd class="note">the same configuration on the same data ends in the same hash</dd></div>
  </dl>
  {% if figures.standing %}
  <figure>{{ figures.standing }}</figure>
  <p class="say">The bar runs from guessing to the run{{ ", the ruler on to the best anyone could do" if result.best_possible_auc is not none }}. Below it stand three scorers that need no model:
    how often a title is liked, how often the person liked something lately, and both added.
    {% if beaten|length == 3 %}The run beats all three.{% elif beaten %}The run beats only: {% for name in beaten %}{{ trivial_names.get(name, name) }}{{ ", " if not loop.last }}{% endfor %}.{% else %}The run beats none of them.{% endif %}
    AUC is the chance that a liked title scores above one that was not.</p>
  {% endif %}
</section>

<section aria-labelledby="learning">
  <h2 id="learning">Learning, round by round</h2>
  {% if figures.learning %}
  <figure>{{ figures.learning }}</figure>
  <p class="say">Each thin line is one client, measured on its own later interactions, which no training saw. Round 0 is the base model before any private row.
    The dashed lines do not learn: the best scorer without a model and, where the truth is known, the best possible.{{ hiding() }}</p>
  {% else %}
  <p class="say">This run recorded no round.</p>
  {% endif %}
</section>

<section aria-labelledby="clients">
  <h2 id="clients">Client by client</h2>
  {% if figures.per_client %}
  <figure>{{ figures.per_client }}</figure>
  <p class="say">A balanced federation has no short bar: what helps the mean should not cost the weakest client.{{ hiding() }}</p>
  {% endif %}
  <div class="scroll"><table>
    <thead><tr><th scope="col">Client</th><th scope="col" class="n">Users</th><th scope="col" class="n">Train rows</th><th scope="col" class="n">Test rows</th>
      <th scope="col" class="n">AUC</th><th scope="col" class="n">UAUC</th><th scope="col" class="n">LogLoss</th></tr></thead>
    <tbody>
    {% for client in result.clients %}
      <tr><th scope="row"><bdi>{{ client.id|clean }}</bdi></th><td class="n">{{ client.users|count }}</td><td class="n">{{ client.train_rows|count }}</td><td class="n">{{ client.examples|count }}</td>
        <td class="n">{{ was(before.auc.get(client.id), client.auc) }}</td><td class="n">{{ was(before.uauc.get(client.id), client.uauc) }}</td><td class="n">{{ was(before.logloss.get(client.id), client.logloss) }}</td></tr>
    {% endfor %}
    </tbody>
    <tbody class="total">
      <tr><th scope="row">All rows together</th><td></td><td></td><td class="n">{{ overall.examples|count }}</td>
        <td class="n">{{ was(before_overall.auc, overall.auc) }}</td><td class="n">{{ was(before_overall.uauc, overall.uauc) }}</td><td class="n">{{ was(before_overall.logloss, overall.logloss) }}</td></tr>
    </tbody>
  </table></div>
  <p class="say">Before the first round → after the last. UAUC is the mean AUC within one person's titles; LogLoss says how far the stated probabilities are off, lower is better.</p>
</section>

<section aria-labelledby="strategies">
  <h2 id="strategies">Strategies beside each other</h2>
  <div class="scroll"><table>
    <thead><tr><th scope="col">Strategy</th><th scope="col" class="n">All rows</th><th scope="col" class="n">Mean client</th><th scope="col" class="n">Worst client</th><th scope="col" class="n">Std</th>
      <th scope="col" class="n">UAUC</th><th scope="col" class="n">LogLoss</th><th scope="col" class="n">Bytes</th><th scope="col" class="n">Time</th></tr></thead>
    <tbody>
    {% for name, run in runs %}
      <tr><th scope="row"><bdi>{{ name }}</bdi></th>{{ metric(run.overall, "auc") }}{{ metric(run.overall, "mean_auc") }}{{ metric(run.overall, "worst_auc") }}{{ metric(run.overall, "std_auc") }}{{ metric(run.overall, "uauc") }}{{ metric(run.overall, "logloss") }}<td class="n">{{ (run.bytes_up + run.bytes_down)|size }}</td><td class="n">{{ run.seconds|duration }}</td></tr>
    {% endfor %}
    </tbody>
    <tbody class="total">
    {% for name, value in result.trivial.items() %}
      <tr class="quiet"><th scope="row">{{ trivial_names.get(name, name)|capitalize }}</th><td class="n">{{ value|number }}</td><td colspan="7"></td></tr>
    {% endfor %}
    {% if result.best_possible_auc is not none %}
      <tr class="quiet"><th scope="row">Best possible</th><td class="n">{{ result.best_possible_auc|number }}</td><td colspan="7"></td></tr>
    {% endif %}
    </tbody>
  </table></div>
  <p class="say">AUC unless said otherwise; Std is the standard deviation over the clients.{% if runs|length > 1 %} A star marks the best of each column.{% else %}
    Only one strategy was run; add others with <code>fedrec report RUN OTHER …</code>.{% endif %}</p>
</section>

{% if figures.similarity or figures.weights or figures.heating %}
<section aria-labelledby="balance">
  <h2 id="balance">Who learns from whom</h2>
  <div class="pair{{ " side" if shards == 1 and result.clients|length < 9 }}">
  {% if figures.similarity %}
    <div><h3>Similarity</h3><figure>{{ figures.similarity }}</figure></div>
  {% endif %}
  {% if figures.weights %}
    <div><h3>Mixing weights</h3><figure>{{ figures.weights }}</figure></div>
  {% endif %}
  </div>
  {% if figures.similarity or figures.weights %}
  <p class="say">The last round. {% if figures.similarity %}Similarity is the likeness of what two clients learned, by the cosine; the diagonal, a client beside itself, is left out. {% endif %}{% if figures.weights %}A row of the weights is the recipe of one client's next model: how much it keeps of its own (on the diagonal) and takes from each other client; a row adds up to 1. {% endif %}Darker or stronger is more.{{ hiding() }}</p>
  {% endif %}
  {% if figures.heating %}
  <h3>Heating</h3>
  <figure>{{ figures.heating }}</figure>
  <p class="say">How open a client is to the others, from 0 to 1. It starts lower where training is hard, so that a struggling client finds its own footing first, and rises as the rounds go on.</p>
  {% endif %}
</section>
{% endif %}

{% if figures.traffic %}
<section aria-labelledby="traffic">
  <h2 id="traffic">What was sent</h2>
  <figure>{{ figures.traffic }}</figure>
  <p class="say">Only adapters travel; no title, no rating and no person leaves a client.
    {% if not dropped %}No reply was dropped.{% else %}A reply that was late or broken is dropped and named, and the round goes on without it:{% endif %}</p>
  {% if dropped %}
  <div class="scroll"><table>
    <thead><tr><th scope="col">Round</th><th scope="col">Client</th><th scope="col">Reason</th></tr></thead>
    <tbody>
    {% for round, reply in dropped %}
      <tr><td>{{ round }}</td><td><bdi>{{ reply.client|clean }}</bdi></td><td>{{ reply.reason|clean(200) }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  {% endif %}
</section>
{% endif %}

{% if erasures %}
{{ erasure_section(erasures) }}
{% endif %}
{% endblock %}
"""
)
