"""Pages: each is one self-contained HTML file, in light, dark and print, escaping what it is told.

A page is a Jinja template that extends `page.html.j2` with the blocks `facts` and `body`, and sets, or is given, its
`kind`, `title`, `headline` in one sentence and `notes`; with a `config` also the `command` that takes it. Templates are
files in the folder `templates` of the package that shows the page. A Flower app bundle carries none: `flwr run` leaves
the page to `fedrec report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from fedrec.errors import FedrecError
from fedrec.files import replacing
from fedrec.reporting import formatting
from fedrec.settings import flat

_SPELLED = ("number", "count", "rounded", "signed", "milliseconds", "percent", "size", "duration", "clean")


def render(
    template: str, content: dict[str, Any], figures: Mapping[str, str] | None = None, package: str = __package__
) -> str:
    """A page, or a text where the template is one of text. The same content gives the same bytes.

    Args:
        template: a file's name in the `templates` of `package`.
        content: what the template names; of a page, `config` is a tree of settings.
        figures: inline SVG by name, trusted to be escaped.
    """
    environment = jinja2.Environment(
        autoescape=jinja2.select_autoescape(("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in dict.fromkeys((package, __package__))]),
    )
    environment.filters |= {name: getattr(formatting, name) for name in _SPELLED}
    settings = [(key, json.dumps(value, ensure_ascii=False)) for key, value in flat(content.get("config", {}))]
    drawn = {name: Markup(svg) for name, svg in (figures or {}).items()}
    return environment.get_template(template).render(content, settings=settings, figures=drawn)


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
