"""The template of a run's page, in Jinja. It is Python because a Flower app bundle carries no other files."""

# ruff: noqa: E501

PAGE = r"""{# A run as one page. All styles and pictures are inside; there is no script and nothing is fetched. #}
{% macro plural(count, word) %}{{ count }} {{ word }}{{ "" if count == 1 else "s" }}{% endmacro %}
{% macro stat(name, value, note="") %}
    <div><dt>{{ name }}</dt><dd>{{ value }}</dd>{% if note %}<dd class="note">{{ note }}</dd>{% endif %}</div>
{%- endmacro %}
{% macro was(before, after) %}{% if before is not none %}<span class="was">{{ before|number }} →</span> {% endif %}{{ after|number }}{% endmacro %}
{% macro metric(overall, key) %}<td class="n{{ ' best' if key in best and overall[key] == best[key] }}">{{ overall[key]|number }}</td>{% endmacro %}
{% macro hiding() %}{% if hidden > 0 %} The {{ result.clients|length - hidden }} clients with the lowest AUC of {{ result.clients|length }} are drawn.{% endif %}{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{{ result.run|clean }} · fedrec</title>
<style>
:root {
  color-scheme: light dark;
  --page: #f4f4f2; --card: #fdfdfc; --ink: #171a21; --muted: #5f6673; --grid: #e2e2dd; --heat: #0d3a78; --heat-ink: #fdfdfc;
  --warn: #c2362b; --series-1: #2166d4; --series-2: #9c4300; --series-3: #24998c; --series-4: #4f1257; --series-5: #b88c00; --series-6: #9a7bea;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0f1115; --card: #171a20; --ink: #e9e8e4; --muted: #a0a6b1; --grid: #2d323b; --heat: #2c66b4; --heat-ink: #e9e8e4;
    --warn: #f0705f; --series-1: #4f9dff; --series-2: #d97a1a; --series-3: #46e0cc; --series-4: #b8407f; --series-5: #f7de4d; --series-6: #8164dd;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 0 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
  -webkit-text-size-adjust: 100%; overflow-wrap: break-word;
}
header, main, footer { max-width: 900px; margin: 0 auto; }
header { padding: 3.25rem 0 1rem; }
.eyebrow { margin: 0; color: var(--muted); font-size: .8rem; font-weight: 600; letter-spacing: .09em; text-transform: uppercase; }
h1 { margin: .15rem 0 .6rem; font-size: 2.3rem; line-height: 1.15; letter-spacing: -.02em; }
.lede { margin: 0; max-width: 44em; font-size: 1.15rem; line-height: 1.5; }
.facts { margin: .9rem 0 0; color: var(--muted); font-size: .9rem; max-width: 60em; }
section { margin: 1.25rem 0 0; padding: 1.5rem 1.75rem 1.6rem; background: var(--card); border: 1px solid var(--grid); border-radius: 12px; }
h2 { margin: 0 0 .2rem; font-size: 1.22rem; letter-spacing: -.01em; }
h3 { margin: 1.7rem 0 .2rem; font-size: 1rem; }
p { margin: .35rem 0 0; }
.say { max-width: 46em; color: var(--muted); font-size: .93rem; }
figure { margin: 1.1rem 0 0; overflow-x: auto; }
svg { display: block; max-width: 100%; min-width: min(34rem, 100%); height: auto; stroke-linejoin: round; }
.pair { display: flex; flex-wrap: wrap; gap: .5rem 3.5rem; }
.pair h3 { margin-bottom: 0; }
.stats { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 1.4rem 1.5rem; margin: 1rem 0 0; }
.stats dt { color: var(--muted); font-size: .82rem; }
.stats .wide { grid-column: span 2; min-width: 0; }
.stats .wide dd:not(.note) { font-size: .95rem; font-weight: 400; letter-spacing: 0; padding-top: .3rem; }
.stats dd { margin: 0; font-size: 1.6rem; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.stats div:first-child dd:not(.note) { color: var(--series-1); }
.stats dd.note { color: var(--muted); font-size: .8rem; font-weight: 400; letter-spacing: 0; }
.scroll { overflow-x: auto; margin-top: .9rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .42rem .7rem .42rem 0; border-bottom: 1px solid var(--grid); text-align: left; vertical-align: baseline; }
th { color: var(--muted); font-size: .8rem; font-weight: 600; }
tbody th { color: inherit; font-size: inherit; overflow-wrap: anywhere; min-width: 7em; }
tr:last-child > * { border-bottom: 0; }
tbody.total > tr:first-child > * { border-top: 2px solid var(--grid); }
th.n, td.n { padding: .42rem 0 .42rem .7rem; text-align: right; white-space: nowrap; }
.was { color: var(--muted); }
.best { font-weight: 700; }
.best::before { content: "★ "; color: var(--series-1); font-size: .8em; }
.quiet > * { color: var(--muted); font-weight: 400; }
code { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
details { margin-top: 1.1rem; }
summary { cursor: pointer; font-weight: 600; }
ul { margin: .5rem 0 0; padding-left: 1.2rem; }
footer { margin-top: 1.5rem; color: var(--muted); font-size: .85rem; }
@media (max-width: 40rem) {
  body { padding: 0 .75rem 2rem; } header { padding-top: 1.75rem; } h1 { font-size: 1.8rem; } section { padding: 1.15rem 1rem 1.25rem; }
  svg { min-width: 34rem; } .pair svg { min-width: 0; }
}
@media print {
  @page { size: A4; margin: 14mm; }
  body { padding: 0; background: none; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  header { padding: 0; } header, main, footer { max-width: none; }
  section { margin-top: 1.1rem; padding: 0; border: 0; background: none; }
  p, figure, tr, .stats > div { break-inside: avoid; } h2, h3, figure { break-after: avoid; }
  figure, .scroll { overflow: visible; } svg { min-width: 0; }
  .side { flex-wrap: nowrap; gap: 1.5rem; }
  table { font-size: 8pt; } th, tbody th { font-size: inherit; } th, td { padding-top: .2rem; padding-bottom: .2rem; }
  details::details-content { content-visibility: visible; height: auto; }
}
</style>
</head>
<body>
<header>
  <p class="eyebrow">fedrec · federated run</p>
  <h1><bdi>{{ result.run|clean }}</bdi></h1>
  <p class="lede">{{ headline }}</p>
  <p class="facts">{{ plural(result.clients|length, "client") }}, {{ plural(result.rounds, "round") }}, {{ plural(shards, "shard") }}:
    {{ strategy_words }}. Data <bdi>{{ result.data|clean }}</bdi>, base model <bdi>{{ result.base|clean }}</bdi>, seed {{ result.seed }}.</p>
</header>
<main>

<section aria-labelledby="result">
  <h2 id="result">Result</h2>
  <dl class="stats">
    {{ stat("AUC over all test rows", overall.auc|number, "before the first round " ~ before_overall.auc|number if before_overall.auc is not none) }}
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

<section aria-labelledby="again">
  <h2 id="again">How it was made</h2>
  {% if result.notes %}
  <ul>{% for note in result.notes %}<li>{{ note|clean(400) }}</li>{% endfor %}</ul>
  {% endif %}
  {% if settings %}
  <details>
    <summary>Configuration ({{ settings|length }} settings)</summary>
    <p class="say">Each line can be given to <code>fedrec simulate --set</code>.</p>
    <div class="scroll"><table><tbody>
    {% for key, value in settings %}
      <tr><td><code>{{ key|clean(80) }}</code></td><td><code>{{ value|clean(400) }}</code></td></tr>
    {% endfor %}
    </tbody></table></div>
  </details>
  {% endif %}
</section>
</main>
<footer>Made by fedrec. This page holds everything it shows: it loads nothing and runs no script.</footer>
</body>
</html>
"""
