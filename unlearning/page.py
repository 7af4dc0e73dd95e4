"""The template of a comparison's page, in Jinja: what it adds to `fedrec.shell`."""

# ruff: noqa: E501

PAGE = r"""{% extends "shell" %}
{% from "words" import plural, stat %}
{% macro grid(table) %}
  <div class="scroll"><table>
    <thead><tr><th scope="col">Method</th>{% for title in table.titles %}<th scope="col" class="n">{{ title }}</th>{% endfor %}</tr></thead>
    <tbody>
    {% for name, cells in table.rows %}
      <tr><th scope="row"><bdi>{{ name }}</bdi></th>{% for cell in cells %}<td class="n{{ ' best' if cell.best }}">{{ cell.text }}{% if cell.spread %} <span class="was">± {{ cell.spread }}</span>{% endif %}</td>{% endfor %}</tr>
    {% endfor %}
    </tbody>
    {% if caller is defined %}
    <tbody class="total">
    {{ caller() }}
    </tbody>
    {% endif %}
  </table></div>
{% endmacro %}
{% macro quiet(name, value, columns) %}
      <tr class="quiet"><th scope="row">{{ name }}</th><td></td><td class="n">{{ value|number }}</td><td colspan="{{ columns - 2 }}"></td></tr>
{% endmacro %}

{% block facts %}
{{ plural(result.seeds|length, "seed") }} ({% for seed in result.seeds %}{{ seed }}{{ ", " if not loop.last }}{% endfor %}), {{ plural(result.shards, "shard") }}, {{ plural(result.slices, "slice") }} each.
    Data <bdi>{{ result.data|clean }}</bdi>, base model <bdi>{{ result.base|clean }}</bdi>.
{% endblock %}

{% block body %}
<section aria-labelledby="answers">
  <h2 id="answers">Result</h2>
  <dl class="stats">
  {% for name, value, note in stats %}
    {{ stat(name, value, note) }}
  {% endfor %}
  </dl>
  {% if figures.auc %}
  <figure>{{ figures.auc }}</figure>
  <p class="say">A dot is one seed, a stroke the mean; the dashed line is Retraining, which learns everything again without the deleted rows and is what every method is measured against.
    {% if several %}At the right each dot is measured against Retraining with the same seed, which takes out what the seed itself does.{% endif %}</p>
  {% endif %}
  {% call grid(answers) %}
  {% for name, value in result.trivial.items() %}
{{ quiet(trivial_names.get(name, name)|capitalize|clean, value, answers.titles|length) }}
  {%- endfor %}
{{ quiet("Best possible", result.best_possible_auc, answers.titles|length) if result.best_possible_auc is not none }}
  {%- endcall %}
  <p class="say">On the test rows that stay. AUC is the chance that a liked title scores above one that was not, UAUC its mean within one person's titles; LogLoss says how far the stated probabilities are off, lower is better.
    Below the methods stand scorers that need no model{{ " and the best anyone could do" if result.best_possible_auc is not none }}{{ ", with the last seed" if several }}.
    {{ meaning }}</p>
</section>

<section aria-labelledby="costs">
  <h2 id="costs">What a deletion costs</h2>
  {% if figures.cost %}
  <figure>{{ figures.cost }}</figure>
  {% endif %}
  {{ grid(costs) }}
  <p class="say">Shards that held a deleted row are withdrawn at once, so that nothing that learned from it answers, and are trained again without it.
    Rows are counted as often as they are trained on; the percentages are of full retraining, of its rows and of its time. Rows do not depend on the machine. Stored is the size of all adapters and checkpoints.</p>
</section>

{% if figures.tradeoff %}
<section aria-labelledby="both">
  <h2 id="both">Cost against quality</h2>
  <figure>{{ figures.tradeoff }}</figure>
  <p class="say">Further left is cheaper, further up is better. Retraining is the cross: all rows, no difference.</p>
</section>
{% endif %}

<section aria-labelledby="partition">
  <h2 id="partition">Who is in which shard, and how exact that is</h2>
  {{ grid(partitions) }}
  <p class="say">Balance is the rows of the largest shard over those of the smallest, 1 at best and a dash where a shard is empty. Shards per user is how many shards a person's rows are spread over: what the deletion of one person touches.
    Separation is the part of the titles' variance that lies between shards, 0 where all shards are alike.</p>
  <h3>What exact means</h3>
  <ul>{% for name, sentence in exactness %}<li><strong>{{ name }}</strong>: {{ sentence }}</li>{% endfor %}</ul>
  <p class="say">A claim is checked, not assumed: everything that the training of a shard depends on is compared with a model made without the deleted rows, and the weakest claim of any seed stands.</p>
</section>

{% if figures.inference %}
<section aria-labelledby="answering">
  <h2 id="answering">What an answer costs</h2>
  <figure>{{ figures.inference }}</figure>
  <p class="say">Milliseconds per row. Mixed, the shards' adapters are weighed and answer in one pass, as products (ND) or as factors (D); otherwise every shard is asked in a pass of its own.</p>
</section>
{% endif %}
{% endblock %}
"""
