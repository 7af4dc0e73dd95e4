"""What every page of fedrec is made of: one self-contained HTML file, in light, dark and print, escaping what it is told.

A page is a Jinja template that extends `shell` with the blocks `facts` and `body`; its content always has `kind`, `title`,
`headline`, `notes`, `config` and `command`. It is Python because a Flower app bundle carries no other files.
"""

# ruff: noqa: E501

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from fedrec.errors import FedrecError
from fedrec.files import replacing
from fedrec.reporting import formatting
from fedrec.settings import flat


def render(template: str, content: dict[str, Any], figures: dict[str, str]) -> str:
    """The page as HTML. The same content gives the same bytes.

    Args:
        content: `kind` and `title` of the page, `headline` in one sentence; `notes`, `config` (a tree) and the `command`
            that takes its settings, of how it was made; and what the template names besides.
        figures: inline SVG by name, trusted to be escaped.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader({"shell": _SHELL, "words": _WORDS}),
    )
    for name in ("number", "count", "percent", "size", "duration", "clean"):
        environment.filters[name] = getattr(formatting, name)
    settings = [(key, json.dumps(value, ensure_ascii=False)) for key, value in flat(content["config"])]
    drawn = {name: Markup(svg) for name, svg in figures.items()}
    return environment.from_string(template).render(content, settings=settings, figures=drawn)


def write(page: str, path: Path) -> None:
    """Write a page to `path`, at once: a reader never sees half of it.

    Raises:
        FedrecError: the file cannot be written.
    """
    try:
        with replacing(path) as draft:
            draft.write_text(page, "utf-8")
    except OSError as error:
        raise FedrecError(
            f"{path}: cannot write the report ({error.strerror}); choose a folder you may write"
        ) from None


_WORDS = r"""
{% macro plural(count, word) %}{{ count }} {{ word }}{{ "" if count == 1 else "s" }}{% endmacro %}
{% macro stat(name, value, note="") %}
    <div><dt>{{ name }}</dt><dd>{{ value }}</dd>{% if note %}<dd class="note">{{ note }}</dd>{% endif %}</div>
{%- endmacro %}
"""

_SHELL = r"""{# All styles and pictures are inside; there is no script and nothing is fetched. #}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{{ title|clean }} · fedrec</title>
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
.was { color: var(--muted); font-weight: 400; }
.best { font-weight: 700; }
.best::before { content: "★ "; color: var(--series-1); font-size: .8em; }
.line { white-space: nowrap; }
.late { color: var(--warn); font-weight: 650; }
a { color: var(--series-1); }
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
  <p class="eyebrow">fedrec · {{ kind }}</p>
  <h1><bdi>{{ title|clean }}</bdi></h1>
  <p class="lede">{{ headline }}</p>
  <p class="facts">{% block facts required %}{% endblock %}</p>
</header>
<main>
{% block body required %}{% endblock %}
<section aria-labelledby="again">
  <h2 id="again">How it was made</h2>
  {% if notes %}
  <ul>{% for note in notes %}<li>{{ note|clean(400) }}</li>{% endfor %}</ul>
  {% endif %}
  {% if settings %}
  <details>
    <summary>Configuration ({{ settings|length }} settings)</summary>
    <p class="say">Each line can be given to <code>{{ command }} --set</code>.</p>
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
